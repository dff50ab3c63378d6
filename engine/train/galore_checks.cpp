// GaLore beside the rest of a spec.
#include "engine/train/galore_checks.h"

#include <algorithm>

#include "engine/train/model_plan.h"

namespace lathe {
namespace {

// Why the gradient of this slot cannot be projected, with the remedy; empty if it can.
std::string obstacle(const TrainSpec& spec, const std::vector<LinearPlan>& slots,
                     const LinearPlan& slot) {
  if (slot.adapter.any()) {
    return "has an adapter, and its weight is not trained: name other slots, or switch the "
           "adapter's method off";
  }
  if (slot.storage != LinearStorage::kDense) {
    return "is two factors, whose gradients are small already: name dense slots";
  }
  if (adapters_alone(slots) || !is_trained(spec.train.parts, ParameterRole::kOther)) {
    return "is frozen: train it (train.parts=all, method.lora.train_rest=true), or name other "
           "slots";
  }
  if (slot.subtokens.factored) {
    return "has a factored gradient of VeLoRA's: set method.velora.state=full, or name other slots";
  }
  if (spec.train.weights != WeightStore::kF32) {
    return "is kept as train.weights=" + std::string(enum_name(spec.train.weights)) +
           ", and updates are added to f32: set train.weights=f32";
  }
  return "";
}

}  // namespace

void check_galore(const TrainSpec& spec, const std::vector<LinearPlan>& slots,
                  std::vector<std::string>& errors) {
  for (const LinearPlan& slot : slots) {
    const std::string why = slot.galore.rank > 0 ? obstacle(spec, slots, slot) : "";
    if (!why.empty()) {
      errors.push_back("method.galore.targets has " + slot.name + ", which " + why);
      return;  // the others are alike
    }
  }
}

}  // namespace lathe
