// See export_source.h.
#include "app/export_source.h"

#include <fmt/core.h>

#include <algorithm>
#include <filesystem>

#include "app/run_model.h"
#include "engine/data/text_coder.h"
#include "engine/io/safetensors.h"
#include "engine/lm/adapter_model.h"
#include "engine/lm/installed_models.h"
#include "engine/lm/language_model.h"
#include "engine/lm/rounded_base.h"
#include "engine/train/data_checks.h"
#include "engine/train/model_plan.h"
#include "engine/train/planned_base.h"
#include "experiments/base_model.h"
#include "experiments/predict.h"
#include "experiments/run_spec.h"

namespace lathe::app {
namespace {

namespace fs = std::filesystem;

// A checkpoint lies in the folder of its run: "RUN/step-120".
bool is_checkpoint(const fs::path& folder) {
  std::error_code failed;
  return fs::exists(folder / "weights.safetensors", failed) &&
         fs::exists(folder / "state.json", failed);
}

Result<ExportSource> open_file_source(const fs::path& path) {
  auto file = open_model_at(path);
  if (!file) {
    return file.error();
  }
  std::vector<LinearPlan> plans = file->plans();
  const fs::path name = path.extension() == ".gguf" ? path.stem() : path.filename();
  return ExportSource{.file = std::move(*file), .plans = std::move(plans), .name = name.string()};
}

Json record_of(const storage::RunDetail& detail, std::int64_t step) {
  Json metrics = Json::object();
  for (const auto& [metric, value] : detail.summary.last) {
    metrics[metric] = value;
  }
  Json record{{"run", detail.summary.id},
              {"name", detail.summary.name},
              {"step", step},
              {"metrics", metrics},
              {"spec", detail.spec}};
  if (const Json* ran = detail.attempts.empty() ? nullptr : &detail.attempts.back().environment;
      ran != nullptr && ran->contains("pixel_mean") && ran->contains("pixel_std")) {
    record["pixel_mean"] = (*ran)["pixel_mean"];
    record["pixel_std"] = (*ran)["pixel_std"];
  }
  return record;
}

// The slots of a run that began with a model, as its checkpoint has them: the model may be gone.
std::vector<LinearPlan> stored_slots(const SafetensorsFile& weights, const ModelConfig& model) {
  std::vector<LinearPlan> slots = dense_plan(model);
  for (LinearPlan& slot : slots) {
    if (const SafetensorsEntry* a = weights.find(slot.name + ".a"); a != nullptr) {
      slot.storage = LinearStorage::kLowRank;
      slot.rank = a->shape.empty() ? 0 : a->shape.front();
      slot.bias = weights.find(slot.name + ".bias") != nullptr;
    }
  }
  return slots;
}

// Where spec and corpus leave a size open, the checkpoint knows it.
Result<void> settle_shape(const fs::path& checkpoint, TrainSpec& spec) {
  const auto weights = SafetensorsFile::open(checkpoint / "weights.safetensors");
  if (!weights) {
    return weights.error();
  }
  const bool images = spec.model.images();
  const SafetensorsEntry* table =
      weights->find(images ? "layers.0.attention.q.weight" : "embedding.weight");
  if (table == nullptr && !spec.model.from.empty()) {  // used as the file of model.from stores it
    auto resolved = experiments::resolve_model(spec);
    if (!resolved) {
      return resolved.error();
    }
    spec = std::move(*resolved);
    return {};
  }
  if (images) {
    settle_images(spec);
    spec.base_slots =
        spec.model.from.empty() ? std::vector<LinearPlan>() : stored_slots(*weights, spec.model);
    return {};
  }
  if (table == nullptr || table->shape.size() != 2) {
    return Error{ErrorKind::kData, checkpoint.string() + " has no embedding.weight",
                 "take another checkpoint"};
  }
  spec.model.vocab_size = table->shape[0];
  if (!spec.model.from.empty()) {
    spec.base_slots = stored_slots(*weights, spec.model);
  }
  if (spec.model.context == 0) {
    spec.model.context = spec.train.seq_len;
  }
  return {};
}

// What reads text for the run's model, or why nothing does.
void find_text(const TrainSpec& spec, ExportSource& source) {
  if (spec.model.images()) {
    source.text_problem = "it classifies images";
    return;
  }
  if (!spec.model.from.empty()) {
    auto base = experiments::open_base_model(spec.model);
    if (base) {
      source.text_of = std::move(base->file);
    } else {
      source.text_problem = base.error().message;
    }
    return;
  }
  auto corpus = open_corpus(spec.data, spec.train.seq_len, {}, {});
  if (corpus) {
    source.corpus = std::move(*corpus);
  } else {
    source.text_problem = corpus.error().message;
  }
}

Result<ExportSource> open_run_source(const storage::RunDetail& detail,
                                     const storage::CheckpointRow& checkpoint) {
  auto run_spec = experiments::run_spec_from_json(detail.spec);
  if (!run_spec) {
    return run_spec.error();
  }
  TrainSpec& spec = run_spec->train;
  spec.distill = {};  // what it learnt is in its weights
  if (const Result<void> settled = settle_shape(checkpoint.path, spec); !settled) {
    return settled.error();
  }
  std::vector<std::string> warnings;
  auto plans = plan_slots(spec, warnings);
  if (!plans) {
    return plans.error();
  }
  std::optional<ModelFile> base;
  std::optional<StoredType> rounded_to;
  if (spec.base != nullptr) {
    auto opened = experiments::open_base_model(spec.model);
    if (!opened) {
      return opened.error();
    }
    if (spec.train.frozen != FrozenStore::kFile) {
      rounded_to = frozen_dtype(spec.train);
    }
    base = rounded_to ? rounded_base(opened->file, *rounded_to) : std::move(opened->file);
  }
  auto file =
      ModelFile::open_checkpoint(checkpoint.path, spec.model, *plans, base ? &*base : nullptr);
  if (!file) {
    return file.error();
  }
  const std::string& name = detail.summary.name;
  std::vector<LinearPlan> merged = file->plans();
  ExportSource source{.file = std::move(*file),
                      .plans = std::move(merged),
                      .name = name.empty() ? "run " + detail.summary.id : name,
                      .record = record_of(detail, checkpoint.step),
                      .trained = std::move(*plans),
                      .checkpoint = checkpoint.path,
                      .base_name = spec.model.from,
                      .base_hash = spec.model.from_hash,
                      .rounded_to = rounded_to};
  find_text(spec, source);
  return source;
}

Result<ExportSource> open_stored(const std::string& model, const GlobalOptions& options) {
  auto catalog = storage::open_catalog(store_path(options));
  if (!catalog) {
    return catalog.error();
  }
  const fs::path folder = fs::absolute(model).lexically_normal();
  const bool chosen = is_checkpoint(folder);
  const auto detail = (*catalog)->run(chosen ? folder.parent_path().filename().string() : model);
  if (!detail) {
    return detail.error();
  }
  if (!chosen) {
    const auto newest = newest_checkpoint(*detail);
    return newest ? open_run_source(*detail, *newest) : newest.error();
  }
  for (const storage::CheckpointRow& row : detail->checkpoints) {
    std::error_code failed;
    if (fs::equivalent(row.path, folder, failed)) {
      return open_run_source(*detail, row);
    }
  }
  return Error{ErrorKind::kUsage, "run " + detail->summary.id + " does not know " + model,
               fmt::format("`lathe show {}` lists its checkpoints", detail->summary.id)};
}

}  // namespace

Result<ExportSource> open_export_source(const std::string& model, const GlobalOptions& options) {
  if (const fs::path path = find_model(model); !path.empty()) {
    return open_file_source(path);
  }
  if (model.ends_with(".gguf")) {
    return Error{ErrorKind::kUsage, "there is no model file " + model,
                 "name a .gguf file, a folder with config.json, an installed model or a run"};
  }
  return open_stored(model, options);
}

}  // namespace lathe::app
