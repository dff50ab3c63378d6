// See known_models.h.
#include "experiments/known_models.h"

#include <fmt/core.h>

#include <map>
#include <mutex>
#include <system_error>

#include "engine/io/peft_adapter.h"
#include "engine/lm/adapter_model.h"
#include "engine/lm/installed_models.h"
#include "engine/lm/language_model.h"
#include "engine/lm/rounded_base.h"
#include "engine/train/planned_base.h"

namespace lathe::experiments {
namespace {

namespace fs = std::filesystem;

// Changes when the file does, one in the folder, or the base of an adapter.
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
  if (const auto base = is_peft_adapter(path) ? adapter_base(path) : Result<fs::path>(fs::path());
      base && !base->empty()) {
    stamp += stamp_of(*base);
  }
  return stamp;
}

// Plans ask for the same file again and again: each slider, each point of a sweep.
Result<KnownModel> read_once(const fs::path& path) {
  static std::mutex mutex;
  static std::map<std::string, KnownModel> known;  // by stamp
  const std::string stamp = stamp_of(path);
  const std::lock_guard lock(mutex);
  if (const auto found = known.find(stamp); found != known.end()) {
    return found->second;
  }
  auto opened = open_model_at(path);
  if (!opened) {
    return opened.error();
  }
  const auto file = std::make_shared<const ModelFile>(std::move(*opened));
  const bool dense = !any_factored(file->plans());
  return known
      .emplace(stamp,
               KnownModel{file, file->config(), dense ? std::vector<LinearPlan>() : file->plans(),
                          model_hash(*file)})
      .first->second;
}

}  // namespace

Result<fs::path> path_of(const NamedModel& model) {
  const fs::path path = find_model(model.from);
  if (path.empty()) {
    return Error{ErrorKind::kUsage,
                 fmt::format("{}.from={}: there is no such model", model.section, model.from),
                 "name a .gguf file, a folder with config.json, or one in " +
                     models_dir().string() + "; `lathe ls models` lists those"};
  }
  return path;
}

Result<KnownModel> known_model(const NamedModel& model) {
  const auto path = path_of(model);
  if (!path) {
    return path.error();
  }
  auto known = read_once(*path);
  if (known && !model.from_hash.empty() && model.from_hash != known->hash) {
    return Error{ErrorKind::kMismatch,
                 fmt::format("{0}.from={1} holds other weights ({2:.12}...) than {0}.from_hash "
                             "says ({3:.12}...)",
                             model.section, model.from, known->hash, model.from_hash),
                 fmt::format("put the model back that the run began with, or leave {}.from_hash "
                             "empty",
                             model.section)};
  }
  return known;
}

std::shared_ptr<const GivenModel> given_model(const std::shared_ptr<const ModelFile>& file) {
  return std::make_shared<const GivenModel>(GivenModel{
      .config = file->config(),
      .slots = stored_plan(*file),
      .weights = [file](Backend& to,
                        Transformer& transformer) { load_weights(to, *file, transformer); },
      .adapters = {},
      .int8_rows = has_int8_rows(*file)});
}

std::shared_ptr<const GivenModel> rounded_model(const std::shared_ptr<const ModelFile>& file,
                                                StoredType type) {
  std::vector<LinearPlan> slots = file->plans();
  for (LinearPlan& slot : slots) {
    slot.given = true;
  }
  const auto weights = [file, type](Backend& to, Transformer& transformer) {
    if (to.computes()) {
      load_weights(to, rounded_base(*file, type), transformer);
    } else {
      give_memory(to, transformer, type);  // plans need no values, and ask often
    }
  };
  return std::make_shared<const GivenModel>(GivenModel{.config = file->config(),
                                                       .slots = std::move(slots),
                                                       .weights = weights,
                                                       .adapters = {},
                                                       .int8_rows = type == StoredType::kInt8Row});
}

std::string lasting_name(const std::string& from) {
  std::error_code failed;
  return fs::exists(from, failed) ? fs::absolute(from, failed).lexically_normal().string() : from;
}

}  // namespace lathe::experiments
