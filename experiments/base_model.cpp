// See base_model.h.
#include "experiments/base_model.h"

#include <fmt/core.h>

#include <algorithm>
#include <filesystem>

#include "engine/base/json.h"
#include "engine/lm/adapter_model.h"
#include "engine/lm/chat.h"
#include "engine/lm/language_model.h"
#include "engine/lm/loftq_start.h"
#include "engine/train/model_plan.h"
#include "engine/train/planned_base.h"
#include "experiments/known_models.h"

namespace lathe::experiments {
namespace {

namespace fs = std::filesystem;

// Parameters that were set to something else than the file has. How many classes a model of images
// tells apart is not its file's to say.
std::string contradictions(const ModelConfig& wanted, const ModelConfig& file) {
  Json asked = to_json(wanted);
  const Json usual = to_json(ModelConfig{});
  const Json there = to_json(file);
  if (file.images()) {
    asked["image"]["classes"] = usual["image"]["classes"];
    if (asked["image"] != usual["image"]) {
      asked["image"]["classes"] = there["image"]["classes"];
    }
    if (wanted.vocab_size == wanted.image.classes) {
      asked["vocab_size"] = there["vocab_size"];
    }
  }
  std::string text;
  for (const auto& [key, value] : asked.items()) {
    const bool of_the_file = key != "from" && key != "from_hash" && key != "init_std";
    if (of_the_file && value != usual[key] && value != there[key]) {
      text += fmt::format("{}model.{}={}, but {} has {}", text.empty() ? "" : "\n", key,
                          json_text(value), wanted.from, json_text(there[key]));
    }
  }
  return text;
}

// The adapters that the base brings, where the run is to begin with them.
Result<void> take_loftq(TrainSpec& spec, const ModelFile& file) {
  std::vector<std::string> warnings;
  const auto slots = plan_slots(spec, warnings);
  const auto adapted = [](const LinearPlan& slot) {
    return slot.adapter.rank > 0 && slot.adapter.init == AdapterInit::kLoftq;
  };
  if (!slots) {
    return {};  // what is wrong with them is told where they are made
  }
  const auto first = std::find_if(slots->begin(), slots->end(), adapted);
  if (first == slots->end()) {
    return {};
  }
  auto adapters = read_loftq_start(file);
  if (!adapters) {
    return adapters.error();
  }
  if (const std::string wrong = loftq_mismatch(*adapters, *slots); !wrong.empty()) {
    return Error{ErrorKind::kUsage, wrong,
                 "set method.lora.rank and targets to those that the adapters were made with"};
  }
  GivenModel with = *spec.base;
  with.adapters = [adapters = std::move(*adapters), scale = first->adapter.scale](
                      Backend& to, Transformer& transformer) {
    set_adapters(to, transformer, adapters, scale);
  };
  spec.base = std::make_shared<const GivenModel>(std::move(with));
  return {};
}

}  // namespace

Result<ModelConfig> settle_model(const ModelConfig& model) {
  if (model.from.empty()) {
    return model;
  }
  const auto known = known_model({"model", model.from, model.from_hash});
  if (!known) {
    return known.error();
  }
  if (const std::string wrong = contradictions(model, known->config); !wrong.empty()) {
    return Error{ErrorKind::kUsage, wrong,
                 "leave the shape to the model that the run begins with, or model.from empty"};
  }
  ModelConfig settled = known->config;
  settled.init_std = model.init_std;
  if (settled.images() && model.image.classes != 0) {
    settled.image.classes = model.image.classes;
    settled.vocab_size = model.image.classes;
  }
  settled.from = lasting_name(model.from);
  settled.from_hash = known->hash;
  return settled;
}

Result<void> take_base(TrainSpec& spec) {
  const auto known = known_model({"model", spec.model.from, spec.model.from_hash});
  if (!known) {
    return known.error();
  }
  spec.base_slots = known->factored;
  spec.base = spec.train.frozen == FrozenStore::kFile
                  ? given_model(known->file)
                  : rounded_model(known->file, frozen_dtype(spec.train));
  return take_loftq(spec, *known->file);
}

Result<BaseModel> open_base_model(const ModelConfig& model) {
  const auto path = path_of({"model", model.from, model.from_hash});
  if (!path) {
    return path.error();
  }
  auto file = open_model_at(*path);
  if (!file) {
    return file.error();
  }
  if (file->config().images()) {
    return BaseModel{std::move(*file), {}};
  }
  ModelText text = read_model_text(*file);
  if (text.tokenizer == nullptr) {
    return Error{ErrorKind::kData, path->string() + " has no tokenizer: " + text.problem,
                 "put the model's tokenizer.json beside it"};
  }
  if (text.tokenizer->vocab_size() > file->config().vocab_size) {
    return Error{ErrorKind::kData,
                 fmt::format("{}: its tokenizer has {} ids, its embedding {} rows", path->string(),
                             text.tokenizer->vocab_size(), file->config().vocab_size),
                 "put the tokenizer beside it that belongs to it"};
  }
  ModelEncoding encoding;
  encoding.digest = text.digest;
  if (!text.chat_template.empty()) {
    auto chat = chat_renderer(text.chat_template, *text.tokenizer);
    if (!chat) {
      return chat.error();
    }
    encoding.chat = std::move(*chat);
  }
  encoding.tokenizer = std::move(text.tokenizer);
  return BaseModel{std::move(*file), std::move(encoding)};
}

}  // namespace lathe::experiments
