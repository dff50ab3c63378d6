// The wall clock as the store keeps it.
#pragma once

#include <chrono>
#include <cstdint>

namespace lathe::storage {

// Milliseconds since 1970 (Unix time).
inline std::int64_t now_ms() {
  using std::chrono::milliseconds;
  const auto since_epoch = std::chrono::system_clock::now().time_since_epoch();
  return std::chrono::duration_cast<milliseconds>(since_epoch).count();
}

}  // namespace lathe::storage
