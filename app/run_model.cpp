// Weights only: the optimizer's half of a checkpoint is not read.
#include "app/run_model.h"

#include <fmt/core.h>

#include <algorithm>
#include <filesystem>

#include "engine/base/hash.h"
#include "engine/data/text_coder.h"
#include "engine/data/token_source.h"
#include "engine/io/safetensors.h"
#include "engine/train/model_plan.h"
#include "experiments/base_model.h"
#include "experiments/device.h"
#include "experiments/predict.h"
#include "experiments/run_spec.h"
#include "experiments/run_task.h"

namespace lathe::app {
namespace {

namespace fs = std::filesystem;

// Everything an opened model points into.
struct RunModel {
  std::unique_ptr<Backend> backend;
  std::unique_ptr<Transformer> transformer;
  TextCoder coder;
};

struct NamedTensor {
  std::string name;
  TensorRef tensor;
};

// What a checkpoint's weights are written to: parameters, and the palettes that they are read
// through.
std::vector<NamedTensor> tensors_of(RunModel& model) {
  std::vector<NamedTensor> all;
  for (const Parameter* parameter : model.transformer->parameters()) {
    if (!parameter->given) {
      all.push_back({parameter->name, parameter->weight});
    }
  }
  for (const auto& [weight, palette] : model.transformer->palettes()) {
    for (const auto& [leaf, tensor] : palette->state()) {
      all.push_back({palette->name() + leaf, tensor});
    }
  }
  return all;
}

// Fills the model from a checkpoint's weights; the value is the digest of the file.
Result<std::string> fill_weights(const fs::path& path, RunModel& model) {
  const auto file = SafetensorsFile::open(path);
  if (!file) {
    return file.error();
  }
  Sha256 digest;
  for (const auto& [name, tensor] : tensors_of(model)) {
    const SafetensorsEntry* entry = file->find(name);
    const auto bytes = entry == nullptr ? std::span<const std::byte>() : file->bytes(*entry);
    const std::string dtype = tensor.dtype == DType::kBf16 ? "BF16" : "F32";
    if (entry == nullptr || entry->dtype != dtype ||
        static_cast<std::int64_t>(bytes.size()) != tensor.bytes()) {
      return Error{
          ErrorKind::kData,
          path.string() + " lacks " + name + " of shape " + tensor.shape.text() + " in " + dtype,
          "the checkpoint is of another spec than its run; take another run"};
    }
    digest.update(name.data(), name.size());
    digest.update(bytes.data(), bytes.size());
    model.backend->write(tensor, bytes.data(), tensor.bytes());
  }
  for (const auto& one : model.transformer->palettes()) {
    one.palette->filled();
  }
  return digest.hex();
}

// Reads text as the run did: with the tokenizer of the model it began with, or of its corpus.
Result<void> open_coder(const TrainSpec& spec, RunModel& model) {
  if (spec.model.from.empty()) {
    const auto corpus = open_corpus(spec.data, spec.train.seq_len, {}, {});
    if (!corpus) {
      return corpus.error();
    }
    const Tokenizer* own = (*corpus)->tokenizer();
    model.coder = make_coder(std::shared_ptr<const Tokenizer>(*corpus, own));
    return {};
  }
  const auto base = experiments::open_base_model(spec.model);
  if (!base) {
    return base.error();
  }
  model.coder = make_coder(base->encoding.tokenizer);
  return {};
}

}  // namespace

Result<void> check_run_reads_text(const storage::RunDetail& detail, const TrainSpec& spec) {
  if (!spec.model.images()) {
    return {};
  }
  return Error{ErrorKind::kUsage,
               "run " + detail.summary.id + " classifies images, and a model of text is wanted",
               "`lathe show` has its eval/acc, and `lathe export --format hf` writes it"};
}

Result<storage::CheckpointRow> newest_checkpoint(const storage::RunDetail& detail) {
  for (auto row = detail.checkpoints.rbegin(); row != detail.checkpoints.rend(); ++row) {
    if (fs::exists(row->path)) {
      return *row;
    }
  }
  return Error{ErrorKind::kUsage, "run " + detail.summary.id + " has no checkpoint",
               "`lathe ls models` lists the runs that have one"};
}

Result<experiments::OpenedModel> open_run_model(storage::RunCatalog& catalog, std::string_view id,
                                                const GlobalOptions& options) {
  const auto detail = catalog.run(id);
  if (!detail) {
    return detail.error();
  }
  const auto checkpoint = newest_checkpoint(*detail);
  if (!checkpoint) {
    return checkpoint.error();
  }
  auto run_spec = experiments::run_spec_from_json(detail->spec);
  if (!run_spec) {
    return run_spec.error();
  }
  if (const auto text = check_run_reads_text(*detail, run_spec->train); !text) {
    return text.error();
  }
  run_spec->train.distill = {};  // what it learnt is in its weights
  const auto resolved = experiments::resolve_model(run_spec->train);
  if (!resolved) {
    return resolved.error();
  }
  const TrainSpec& spec = *resolved;
  const auto model = std::make_shared<RunModel>();
  if (const Result<void> opened = open_coder(spec, *model); !opened) {
    return opened.error();
  }
  std::vector<std::string> warnings;
  const auto slots = plan_slots(spec, warnings);
  if (!slots) {
    return slots.error();
  }
  const auto device = experiments::resolve_device(options.device);
  if (!device) {
    return device.error();
  }
  auto backend = make_backend(*device, options.threads);
  if (!backend) {
    return backend.error();
  }
  model->backend = std::move(*backend);
  const DType kept = weight_dtype(spec.train.weights);
  const TableMemory tables = table_memory(spec, *slots);
  model->transformer =
      std::make_unique<Transformer>(*model->backend, spec.model, *slots, tables, kept);
  if (tables == TableMemory::kGiven) {
    spec.base->weights(*model->backend, *model->transformer);
  }
  const auto hash = fill_weights(fs::path(checkpoint->path) / "weights.safetensors", *model);
  if (!hash) {
    return hash.error();
  }
  experiments::OpenedModel opened;
  opened.model =
      experiments::trained_model(*model->backend, *model->transformer, spec, model->coder);
  opened.facts = {
      {"name", detail->summary.name.empty() ? detail->summary.id : detail->summary.name},
      {"format", "checkpoint " + std::string(dtype_name(kept))},
      {"run", detail->summary.id},
      {"step", checkpoint->step},
      {"path", checkpoint->path},
      {"parameters", count_parameters(spec.model, *slots)},
      {"hash", *hash}};
  opened.keeper = model;
  return opened;
}

}  // namespace lathe::app
