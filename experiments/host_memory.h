// How much memory this process uses, and how much it may still have.
#pragma once

#include <cstdint>
#include <optional>
#include <string>

namespace lathe::experiments {

// Resident bytes of this process (/proc/self/statm).
std::int64_t process_bytes();

struct AvailableMemory {
  std::int64_t bytes = 0;
  std::string limited_by;  // "the machine" or "the control group"
};

// What can be taken without swapping: the kernel's MemAvailable, or what the control group (v2 or
// v1) leaves, whichever is less. Nothing where the kernel does not say.
std::optional<AvailableMemory> available_memory();

}  // namespace lathe::experiments
