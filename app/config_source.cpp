// Configs by file or by name.
#include "app/config_source.h"

#include <fmt/core.h>

#include <algorithm>
#include <filesystem>

#include "engine/base/paths.h"

namespace lathe::app {
namespace {

namespace fs = std::filesystem;

std::string known_configs() {
  std::vector<std::string> names;
  if (const auto folder = find_asset("configs")) {
    for (const auto& entry : fs::directory_iterator(*folder)) {
      if (entry.path().extension() == ".json") {
        names.push_back(entry.path().stem().string());
      }
    }
  }
  std::sort(names.begin(), names.end());
  std::string text;
  for (const std::string& name : names) {
    text += (text.empty() ? "" : ", ") + name;
  }
  return text;
}

}  // namespace

Result<Json> load_config(const std::string& config) {
  std::error_code failed;
  if (fs::is_regular_file(config, failed)) {
    return read_json_file(config);
  }
  const bool plain_name = config.find('/') == std::string::npos;
  if (const auto asset = plain_name ? find_asset("configs/" + config + ".json") : std::nullopt) {
    return read_json_file(asset->string());
  }
  return Error{ErrorKind::kUsage, fmt::format("there is no config '{}'", config),
               fmt::format("name a JSON file, or one of: {}", known_configs())};
}

Result<experiments::RunSpec> load_run_spec(const std::string& config,
                                           const std::vector<std::string>& overrides) {
  Result<Json> document = load_config(config);
  if (!document) {
    return document.error();
  }
  document->erase("sweep");
  for (const std::string& assignment : overrides) {
    const Result<void> applied = experiments::apply_override(assignment, *document);
    if (!applied) {
      return applied.error();
    }
  }
  return experiments::run_spec_from_json(*document);
}

}  // namespace lathe::app
