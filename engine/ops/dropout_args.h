// The arguments of dropout, and which random numbers decide; for the host and for devices.
#pragma once

#include <cstdint>

#include "engine/tensor/tensor.h"

namespace lathe {

// The first of its streams of random numbers: kDropoutSites of them a step.
inline constexpr unsigned long long kDropoutStreams = 1ull << 61;
inline constexpr unsigned long long kDropoutSites = 1ull << 20;

// Dropout (Srivastava et al. 2014, section 10) with kept elements enlarged: y[i] = x[i] / (1 -
// rate), or 0 with the probability `rate`; added to y[i] where `adds`. Element i is dropped where
// word p % 4 of philox(seed, dropout_stream(step, site), p / 4), p = first + i, is below rate *
// 2^32, so that backward has the same ones again. x, y: f32 of one size; y may alias x unless
// `adds`. The step is what lies at step_at (f64 [1]) where that is defined.
struct DropoutArgs {
  TensorRef x, y;
  double rate = 0;  // 0 .. below 1
  std::uint64_t seed = 0;
  std::int64_t step = 0, site = 0, first = 0;
  TensorRef step_at = {};
  bool adds = false;
};

constexpr std::uint64_t dropout_stream(std::int64_t step, std::int64_t site) {
  return kDropoutStreams + static_cast<std::uint64_t>(step) * kDropoutSites +
         static_cast<std::uint64_t>(site);
}
// Words below it drop their element.
constexpr std::uint32_t dropout_threshold(double rate) {
  return static_cast<std::uint32_t>(rate * 4294967296.0);
}
constexpr float dropout_factor(double rate) {
  return static_cast<float>(1.0 / (1.0 - rate));
}

}  // namespace lathe
