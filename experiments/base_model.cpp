// See base_model.h.
#include "experiments/base_model.h"

#include <fmt/core.h>

#include <filesystem>
#include <map>
#include <mutex>
#include <system_error>

#include "engine/base/json.h"
#include "engine/lm/chat.h"
#include "engine/lm/installed_models.h"
#include "engine/lm/language_model.h"

namespace lathe::experiments {
namespace {

namespace fs = std::filesystem;

// What a spec takes from a file.
struct KnownModel {
  ModelConfig config;
  std::vector<LinearPlan> factored;  // all slots, where some are factored
  std::string hash;
};

// Changes when the file does, or one in the folder.
std::string stamp_of(const fs::path& path) {
  std::error_code failed;
  const auto one = [&](const fs::path& file) {
    const auto size = fs::is_regular_file(file, failed) ? fs::file_size(file, failed) : 0;
    return fmt::format("{} {} {}\n", file.string(), size,
                       fs::last_write_time(file, failed).time_since_epoch().count());
  };
  std::string stamp = one(path);
  for (const auto& entry : fs::directory_iterator(path, failed)) {
    stamp += one(entry.path());
  }
  return stamp;
}

// Plans ask for the same file again and again: each slider, each point of a sweep.
Result<KnownModel> known_model(const fs::path& path) {
  static std::mutex mutex;
  static std::map<std::string, KnownModel> known;  // by stamp
  const std::string stamp = stamp_of(path);
  const std::lock_guard lock(mutex);
  if (const auto found = known.find(stamp); found != known.end()) {
    return found->second;
  }
  const auto file = ModelFile::open(path);
  if (!file) {
    return file.error();
  }
  const bool dense = !any_factored(file->plans());
  return known
      .emplace(stamp, KnownModel{file->config(), dense ? std::vector<LinearPlan>() : file->plans(),
                                 model_hash(*file)})
      .first->second;
}

Result<fs::path> path_of(const ModelConfig& model) {
  const fs::path path = find_model(model.from);
  if (path.empty()) {
    return Error{ErrorKind::kUsage, "model.from=" + model.from + ": there is no such model",
                 "name a .gguf file, a folder with config.json, or one in " +
                     models_dir().string() + "; `lathe ls models` lists those"};
  }
  return path;
}

// Parameters that were set to something else than the file has.
std::string contradictions(const ModelConfig& wanted, const ModelConfig& file) {
  const Json asked = to_json(wanted);
  const Json usual = to_json(ModelConfig{});
  const Json there = to_json(file);
  std::string text;
  for (const auto& [key, value] : asked.items()) {
    const bool of_the_file = key != "from" && key != "from_hash" && key != "init_std";
    if (of_the_file && value != usual[key] && value != there[key]) {
      text += fmt::format("{}model.{}={}, but {} has {}", text.empty() ? "" : "\n", key,
                          value.dump(), wanted.from, there[key].dump());
    }
  }
  return text;
}

// Of one model whatever the folder a command is given in.
std::string lasting_name(const std::string& from) {
  std::error_code failed;
  return fs::exists(from, failed) ? fs::absolute(from, failed).lexically_normal().string() : from;
}

}  // namespace

Result<ModelConfig> settle_model(const ModelConfig& model) {
  if (model.from.empty()) {
    return model;
  }
  const auto path = path_of(model);
  if (!path) {
    return path.error();
  }
  const auto known = known_model(*path);
  if (!known) {
    return known.error();
  }
  if (!model.from_hash.empty() && model.from_hash != known->hash) {
    return Error{ErrorKind::kMismatch,
                 fmt::format("model.from={} holds other weights ({:.12}...) than model.from_hash "
                             "says ({:.12}...)",
                             model.from, known->hash, model.from_hash),
                 "put the model back that the run began with, or leave model.from_hash empty"};
  }
  if (const std::string wrong = contradictions(model, known->config); !wrong.empty()) {
    return Error{ErrorKind::kUsage, wrong,
                 "leave the shape to the model that the run begins with, or model.from empty"};
  }
  ModelConfig settled = known->config;
  settled.init_std = model.init_std;
  settled.from = lasting_name(model.from);
  settled.from_hash = known->hash;
  return settled;
}

Result<std::vector<LinearPlan>> base_slots(const ModelConfig& model) {
  const auto path = path_of(model);
  if (!path) {
    return path.error();
  }
  const auto known = known_model(*path);
  return known ? Result<std::vector<LinearPlan>>(known->factored) : known.error();
}

Result<BaseModel> open_base_model(const ModelConfig& model) {
  const auto path = path_of(model);
  if (!path) {
    return path.error();
  }
  auto file = ModelFile::open(*path);
  if (!file) {
    return file.error();
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
