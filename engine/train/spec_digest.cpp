// Digests of specs.
#include "engine/train/spec_digest.h"

#include "engine/base/hash.h"

namespace lathe {
namespace {

// Without methods, and parameters of them, that came later and are switched off.
Json decided_methods(Json method) {
  if (const auto dkm = method.find("dkm");
      dkm != method.end() && dkm->value("bits", 0) == 0 && dkm->value("clusters", 0) == 0) {
    method.erase(dkm);
  }
  if (const auto galore = method.find("galore");
      galore != method.end() && galore->value("rank", 0) == 0) {
    method.erase(galore);
  }
  if (const auto lora = method.find("lora");
      lora != method.end() && lora->value("dropout", 0.0) == 0.0) {
    lora->erase("dropout");
  }
  if (const auto velora = method.find("velora");
      velora != method.end() &&
      velora->value("groups", 0) + velora->value("sub_token_size", 0) == 0) {
    method.erase(velora);
  }
  return method;
}

}  // namespace

std::string spec_digest(const TrainSpec& spec) {
  Json train = to_json(spec.train);
  train.erase("metrics_every");
  train.erase("probe_every");
  train.erase("graph");
  if (spec.train.weights == WeightStore::kF32) {
    train.erase("weights");
  }
  if (spec.train.activations == ActivationStore::kF32) {
    train.erase("activations");
  }
  if (spec.train.parts == TrainedParts::kAll) {
    train.erase("parts");
  }
  if (spec.train.recompute == Recompute::kCheap) {
    train.erase("recompute");
  }
  if (spec.train.frozen == FrozenStore::kFile) {
    train.erase("frozen");
  }
  if (spec.train.frozen != FrozenStore::kInt) {
    train.erase("frozen_bits");
    train.erase("frozen_group");
  }
  if (!spec.train.int8_products) {
    train.erase("int8_products");
    train.erase("int8_threshold");
  }
  Json data = to_json(spec.data);
  if (spec.data.labels == SentimentLabels::kAuto) {
    data.erase("labels");
  }
  if (spec.data.without.empty()) {
    data.erase("without");
  }
  Json model = to_json(spec.model);
  if (!spec.model.images()) {
    model.erase("image");
    for (const char* of_images : {"examples", "split_seed", "pixel_mean", "pixel_std"}) {
      data.erase(of_images);
    }
  }
  Json optim = to_json(spec.optim);
  if (spec.optim.state == MomentStore::kF32) {
    optim.erase("state");
  }
  Json decided{{"seed", spec.seed}, {"model", model}, {"data", data},
               {"train", train},    {"optim", optim}, {"method", decided_methods(spec.method)}};
  if (!spec.distill.from.empty()) {
    decided["distill"] = to_json(spec.distill);
  }
  return sha256_hex(json_text(decided));
}

}  // namespace lathe
