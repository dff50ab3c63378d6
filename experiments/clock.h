// The clocks that events and measurements use.
#pragma once

#include <chrono>
#include <cstdint>

namespace lathe::experiments {

inline std::int64_t unix_ms() {
  const auto now = std::chrono::system_clock::now().time_since_epoch();
  return std::chrono::duration_cast<std::chrono::milliseconds>(now).count();
}

// Seconds since construction.
class Stopwatch {
 public:
  double secs() const {
    return std::chrono::duration<double>(std::chrono::steady_clock::now() - begin_).count();
  }

 private:
  std::chrono::steady_clock::time_point begin_ = std::chrono::steady_clock::now();
};

}  // namespace lathe::experiments
