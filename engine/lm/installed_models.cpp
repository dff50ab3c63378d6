// See installed_models.h.
#include "engine/lm/installed_models.h"

#include <algorithm>
#include <system_error>

#include "engine/base/paths.h"
#include "engine/io/peft_adapter.h"

namespace lathe {
namespace {

namespace fs = std::filesystem;

// A folder with config.json, or of an adapter, is itself the model; else the one GGUF file in it.
fs::path model_in(const fs::path& folder) {
  std::error_code failed;
  if (fs::exists(folder / "config.json", failed) || is_peft_adapter(folder)) {
    return folder;
  }
  std::vector<fs::path> found;
  for (const auto& entry : fs::directory_iterator(folder, failed)) {
    if (entry.path().extension() == ".gguf") {
      found.push_back(entry.path());
    }
  }
  return found.size() == 1 ? found.front() : fs::path();
}

}  // namespace

fs::path models_dir() {
  return data_dir() / "models";
}

std::vector<std::string> installed_models() {
  std::vector<std::string> names;
  std::error_code failed;
  for (const auto& entry : fs::directory_iterator(models_dir(), failed)) {
    const bool model = entry.is_directory(failed) ? !model_in(entry.path()).empty()
                                                  : entry.path().extension() == ".gguf";
    if (model) {
      names.push_back(entry.path().filename().string());
    }
  }
  std::sort(names.begin(), names.end());
  return names;
}

fs::path find_model(const std::string& name) {
  std::error_code failed;
  for (const fs::path& path : {fs::path(name), models_dir() / name}) {
    if (name.empty() || !fs::exists(path, failed)) {
      continue;
    }
    if (!fs::is_directory(path, failed)) {
      return path;
    }
    if (const fs::path inside = model_in(path); !inside.empty()) {
      return inside;
    }
  }
  return {};
}

}  // namespace lathe
