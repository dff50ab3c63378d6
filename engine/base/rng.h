// Counter-based random numbers (Philox 4x32-10, Salmon et al. 2011; Random123): a value depends on
// its key and position alone, never on what was drawn before, on threads or on the back end.
#pragma once

#include <array>
#include <cstdint>

namespace lathe {

// Four random words of position (stream, index) under a seed.
std::array<std::uint32_t, 4> philox(std::uint64_t seed, std::uint64_t stream, std::uint64_t index);

// A stream of numbers for host code: key (seed, stream), position counted up.
class Rng {
 public:
  Rng(std::uint64_t seed, std::uint64_t stream) : seed_(seed), stream_(stream) {}
  std::uint64_t next_u64();
  // Uniform in [0, 1).
  double next_unit();
  // Uniform in [0, bound), bound > 0, without modulo bias.
  std::uint64_t next_below(std::uint64_t bound);

 private:
  std::uint64_t seed_;
  std::uint64_t stream_;
  std::uint64_t index_ = 0;
};

}  // namespace lathe
