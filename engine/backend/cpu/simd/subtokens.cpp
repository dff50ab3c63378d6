// VeLoRA's loops over sub-tokens. Most of them are shorter than a few registers, so that loops over
// one are left to the compiler, and several sums are on their way at a time.
#include <cmath>

#include "engine/backend/cpu/simd/copies.h"
#include "engine/backend/cpu/simd/vector.h"

namespace lathe::cpu::LATHE_ISA {
namespace {

// Sub-tokens of less than a register whose sums are made side by side.
constexpr std::int64_t kTogether = 8;

float project_long(const float* x, const float* direction, std::int64_t size) {
  Vector sum{};
  sweep(size, [&](auto part) { sum += load(x, part) * load(direction, part); });
  return sum_of(sum);
}

template <std::int64_t kCount>
void project_short(const SubtokenRange& range, const float* x, float* z) {
  float sums[kCount] = {};
  for (std::int64_t k = 0; k < range.size; ++k) {
    for (std::int64_t j = 0; j < kCount; ++j) {
      sums[j] += x[j * range.size + k] * range.direction[k];
    }
  }
  for (std::int64_t j = 0; j < kCount; ++j) {
    z[j] = sums[j];
  }
}

}  // namespace

void subtoken_project(const SubtokenRange& range, const float* x, float* z) {
  if (range.size >= kLanes) {
    for (std::int64_t j = 0; j < range.count; ++j) {
      z[j] = project_long(x + j * range.size, range.direction, range.size);
    }
    return;
  }
  std::int64_t j = 0;
  for (; j + kTogether <= range.count; j += kTogether) {
    project_short<kTogether>(range, x + j * range.size, z + j);
  }
  for (; j < range.count; ++j) {
    project_short<1>(range, x + j * range.size, z + j);
  }
}

void subtoken_rebuild(const SubtokenRange& range, const float* z, float* x, float alpha,
                      float beta) {
  const float* __restrict const direction = range.direction;
  for (std::int64_t j = 0; j < range.count; ++j) {
    const float factor = alpha * z[j];
    float* __restrict const to = x + j * range.size;
    if (beta == 0.0f) {
      for (std::int64_t k = 0; k < range.size; ++k) {
        to[k] = factor * direction[k];
      }
    } else {
      for (std::int64_t k = 0; k < range.size; ++k) {
        to[k] = beta * to[k] + factor * direction[k];
      }
    }
  }
}

void adamw_subtokens(const SubtokenStep& step) {
  const AdamwRange& by = step.by;
  const float* __restrict const direction = step.range.direction;
  const std::int64_t size = step.range.size;
  for (std::int64_t j = 0; j < step.range.count; ++j) {
    const float g = by.gradient[j] * by.grad_scale;
    const float m = by.m[j] * by.beta1 + g * (1.0f - by.beta1);
    const float v = by.v[j] * by.beta2 + g * g * (1.0f - by.beta2);
    by.m[j] = m;
    by.v[j] = v;
    const float first = m * by.correction1;
    const float root = __builtin_sqrtf(v * by.correction2);
    float* __restrict const weight = by.weight + j * size;
    for (std::int64_t k = 0; k < size; ++k) {
      const float along = direction[k];
      const float move = along * first / (__builtin_fabsf(along) * root + by.eps);
      weight[k] -= by.lr * (move + by.weight_decay * weight[k]);
    }
  }
}

}  // namespace lathe::cpu::LATHE_ISA
