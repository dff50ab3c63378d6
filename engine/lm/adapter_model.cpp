// See adapter_model.h.
#include "engine/lm/adapter_model.h"

#include "engine/io/peft_adapter.h"
#include "engine/lm/installed_models.h"
#include "engine/lm/language_model.h"

namespace lathe {
namespace {

namespace fs = std::filesystem;

Result<fs::path> base_of(const fs::path& folder, const std::string& name) {
  for (const std::string& tried :
       {name, (folder / name).string(), fs::path(name).filename().string()}) {
    const fs::path found = find_model(tried);
    if (found.empty()) {
      continue;
    }
    if (is_peft_adapter(found)) {
      return Error{
          ErrorKind::kUsage,
          folder.string() + " names " + found.string() + " as its base, which is an adapter itself",
          "merge that one first: lathe export " + found.string() + " --format hf"};
    }
    return found;
  }
  return Error{ErrorKind::kUsage,
               folder.string() + ": there is no model \"" + name + "\", the adapter's base",
               "put it there or into " + models_dir().string() +
                   ", or write where it is as base_model_name_or_path in adapter_config.json"};
}

}  // namespace

Result<fs::path> adapter_base(const fs::path& folder) {
  const auto config = read_peft_config(folder);
  return config ? base_of(folder, config->base) : config.error();
}

Result<ModelFile> open_model_at(const fs::path& path) {
  if (!is_peft_adapter(path)) {
    return ModelFile::open(path);
  }
  const auto config = read_peft_config(path);
  if (!config) {
    return config.error();
  }
  const auto found = base_of(path, config->base);
  if (!found) {
    return found.error();
  }
  const auto base = ModelFile::open(*found);
  if (!base) {
    return base.error();
  }
  const auto adapter = read_peft_adapter(path, *config, *base);
  if (!adapter) {
    return adapter.error();
  }
  const std::string hash = model_hash(*base);
  if (!adapter->base_hash.empty() && adapter->base_hash != hash) {
    return Error{ErrorKind::kMismatch,
                 path.string() + " was made for other weights (" + adapter->base_hash +
                     ") than its base " + found->string() + " holds (" + hash + ")",
                 "put the base back that it was made for"};
  }
  return ModelFile::with_adapters(*base, adapter->slots);
}

}  // namespace lathe
