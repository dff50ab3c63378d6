// See system_memory.h.
#include "engine/backend/system_memory.h"

#include <cstdlib>

namespace lathe {

void* SystemMemory::take(std::int64_t bytes) {
  void* data = nullptr;
  if (posix_memalign(&data, kGranule, static_cast<std::size_t>(bytes)) != 0) {
    return nullptr;
  }
  held_bytes_ += bytes;
  return data;
}

void SystemMemory::give_back(void* data, std::int64_t bytes) noexcept {
  std::free(data);
  held_bytes_ -= bytes;
}

}  // namespace lathe
