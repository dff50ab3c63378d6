// XDG base directories and asset lookup.
#include "engine/base/paths.h"

#include <array>
#include <cstdlib>
#include <string>

namespace lathe {
namespace {

namespace fs = std::filesystem;

// An environment variable, empty if unset. XDG wants relative values ignored.
std::string environment(const char* name) {
  const char* value = std::getenv(name);
  return value == nullptr ? "" : value;
}

fs::path xdg_dir(const char* variable, std::string_view below_home) {
  const fs::path given = environment(variable);
  if (given.is_absolute()) {
    return given / "lathe";
  }
  const std::string home = environment("HOME");
  return fs::path(home.empty() ? "/" : home) / below_home / "lathe";
}

}  // namespace

fs::path config_dir() {
  return xdg_dir("XDG_CONFIG_HOME", ".config");
}
fs::path data_dir() {
  return xdg_dir("XDG_DATA_HOME", ".local/share");
}
fs::path state_dir() {
  return xdg_dir("XDG_STATE_HOME", ".local/state");
}
fs::path cache_dir() {
  return xdg_dir("XDG_CACHE_HOME", ".cache");
}

fs::path executable_path() {
  std::error_code failed;
  const fs::path self = fs::read_symlink("/proc/self/exe", failed);
  return failed ? fs::path() : self;
}

std::optional<fs::path> find_asset(std::string_view relative) {
  const std::array<fs::path, 3> roots{environment("LATHE_ASSETS"),
                                      executable_path().parent_path() / "../share/lathe",
                                      LATHE_SOURCE_ASSETS};
  for (const fs::path& root : roots) {
    std::error_code failed;
    if (!root.empty() && fs::exists(root / relative, failed)) {
      return fs::weakly_canonical(root / relative, failed);
    }
  }
  return std::nullopt;
}

}  // namespace lathe
