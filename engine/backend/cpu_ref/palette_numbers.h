// What the reference's ops on palettes share.
#pragma once

#include <cstdint>
#include <vector>

#include "engine/ops/palette_args.h"
#include "engine/quant/half.h"

namespace lathe::cpu_ref {

inline float number_of(DType codes, std::uint16_t bits) {
  return codes == DType::kF16 ? float_of_half(bits) : float_of_bf16(bits);
}

inline float scale_of(const CodedWeights& weights, std::int64_t row) {
  return weights.scales.defined() ? weights.scales.f32()[row] : 1.0f;
}

inline std::uint16_t code_of(const CodedWeights& weights, std::int64_t at) {
  float w = 0.0f;
  if (weights.w.dtype == DType::kBf16) {
    w = float_of_bf16(static_cast<const std::uint16_t*>(weights.w.data)[at]);
  } else {
    w = weights.w.f32()[at];
  }
  const float x = w / scale_of(weights, at / weights.w.cols());
  return weights.codes == DType::kF16 ? half_of_float(x) : bf16_of_float(x);
}

// The gradient of the logits by that of a = max(p, floor).
inline std::vector<double> softmax_backward(const std::vector<double>& p,
                                            const std::vector<double>& da, double floor) {
  double mean = 0.0;
  for (std::size_t j = 0; j < da.size(); ++j) {
    mean += p[j] > floor ? p[j] * da[j] : 0.0;
  }
  std::vector<double> dlogits(da.size());
  for (std::size_t j = 0; j < da.size(); ++j) {
    dlogits[j] = p[j] * ((p[j] > floor ? da[j] : 0.0) - mean);
  }
  return dlogits;
}

}  // namespace lathe::cpu_ref
