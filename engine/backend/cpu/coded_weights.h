// Weights as codes of 16 bits, some at a time.
#pragma once

#include <algorithm>
#include <array>
#include <cstdint>

#include "engine/backend/backend.h"
#include "engine/backend/cpu/parallel.h"
#include "engine/backend/cpu/share_sums.h"
#include "engine/backend/cpu/simd/kernels.h"
#include "engine/quant/half.h"

namespace lathe::cpu {

// Codes that are made at a time.
inline constexpr std::int64_t kCodesTogether = 512;

inline float number_of(DType codes, std::uint16_t bits) {
  return codes == DType::kF16 ? float_of_half(bits) : float_of_bf16(bits);
}

inline void make_codes(const CodedWeights& weights, std::int64_t at, float scale,
                       std::int32_t* codes, std::int64_t count) {
  if (weights.w.dtype == DType::kF32) {
    kernels().palette.codes(weights.codes, weights.w.f32() + at, scale, codes, count);
    return;
  }
  const auto* const bits = static_cast<const std::uint16_t*>(weights.w.data) + at;
  if (!weights.scales.defined()) {
    std::copy_n(bits, count, codes);
    return;
  }
  std::array<float, kCodesTogether> floats;
  std::transform(bits, bits + count, floats.begin(),
                 [](std::uint16_t half) { return float_of_bf16(half); });
  kernels().palette.codes(weights.codes, floats.data(), scale, codes, count);
}

// body(first weight, its code and the next ones', how many, scale) for runs of a share.
template <typename Body>
void for_codes(const CodedWeights& weights, Share share, const Body& body) {
  std::array<std::int32_t, kCodesTogether> codes;
  const std::int64_t cols = weights.w.cols();
  for (std::int64_t at = share.first; at < share.end;) {
    std::int64_t count = std::min(kCodesTogether, share.end - at);
    float scale = 1.0f;
    if (weights.scales.defined()) {
      count = std::min(count, cols - at % cols);
      scale = weights.scales.f32()[at / cols];
    }
    make_codes(weights, at, scale, codes.data(), count);
    body(at, codes.data(), count, scale);
    at += count;
  }
}

// The same of all weights, over threads.
template <typename Body>
void for_all_codes(Backend& backend, const CodedWeights& weights, const Body& body) {
  parallel_ranges(backend.parallelism(), weights.w.elements(),
                  [&](std::int64_t first, std::int64_t count) {
                    for_codes(weights, {first, first + count}, body);
                  });
}

}  // namespace lathe::cpu
