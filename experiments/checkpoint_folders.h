// The checkpoints of a run as folders: RUN/step-N.
#pragma once

#include <cstddef>
#include <cstdint>
#include <filesystem>
#include <vector>

namespace lathe::experiments {

// Size of all files of a folder.
std::int64_t folder_bytes(const std::filesystem::path& folder);

// Removes the oldest checkpoints beside `newest` until `kept` are left with it; 0 means all stay.
// The steps of those that are gone; one that cannot be removed stays.
std::vector<std::int64_t> drop_old_checkpoints(const std::filesystem::path& newest,
                                               std::size_t kept);

}  // namespace lathe::experiments
