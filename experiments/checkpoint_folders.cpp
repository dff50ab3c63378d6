// See checkpoint_folders.h.
#include "experiments/checkpoint_folders.h"

#include <charconv>
#include <map>
#include <string>
#include <string_view>
#include <system_error>

namespace lathe::experiments {
namespace {

namespace fs = std::filesystem;

// The finished checkpoints of one run by their step.
std::map<std::int64_t, fs::path> checkpoint_folders(const fs::path& run) {
  constexpr std::string_view kPrefix = "step-";
  std::map<std::int64_t, fs::path> found;
  std::error_code failed;
  for (const auto& entry : fs::directory_iterator(run, failed)) {
    const std::string name = entry.path().filename().string();
    std::int64_t step = 0;
    const char* end = name.data() + name.size();
    if (name.rfind(kPrefix, 0) == 0 &&
        std::from_chars(name.data() + kPrefix.size(), end, step).ptr == end) {
      found.emplace(step, entry.path());
    }
  }
  return found;
}

}  // namespace

std::int64_t folder_bytes(const fs::path& folder) {
  std::int64_t bytes = 0;
  std::error_code failed;
  for (const auto& entry : fs::directory_iterator(folder, failed)) {
    bytes += static_cast<std::int64_t>(entry.file_size(failed));
  }
  return bytes;
}

std::vector<std::int64_t> drop_old_checkpoints(const fs::path& newest, std::size_t kept) {
  std::vector<std::int64_t> gone;
  std::map<std::int64_t, fs::path> found = checkpoint_folders(newest.parent_path());
  for (auto oldest = found.begin(); kept > 0 && found.size() > kept;) {
    std::error_code failed;
    if (oldest->second != newest && fs::remove_all(oldest->second, failed) > 0 && !failed) {
      gone.push_back(oldest->first);
    }
    oldest = found.erase(oldest);
  }
  return gone;
}

}  // namespace lathe::experiments
