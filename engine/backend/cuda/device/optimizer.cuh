// AdamW in one pass: 28 bytes an element.
#pragma once

#include "engine/backend/cuda/device/pack.cuh"

namespace lathe::LATHE_GPU {

// What the host worked out in double.
struct AdamwFactors {
  float keep1, add1;               // beta1, 1 - beta1
  float keep2, add2;               // beta2, 1 - beta2
  float correction1, correction2;  // 1 / (1 - beta^step)
  float lr, eps, decay, grad_scale;
};

template <int kWidth>
static __global__ void adamw_kernel(float* weight, const float* gradient, float* m, float* v,
                                    AdamwFactors by, Index count) {
  for_each_pack<kWidth>(count, [&](auto pack, Index i) {
    constexpr int kLanes = decltype(pack)::kLanes;
    const Pack<kLanes> g = load_pack<kLanes>(gradient + i);
    Pack<kLanes> w = load_pack<kLanes>(weight + i);
    Pack<kLanes> first = load_pack<kLanes>(m + i);
    Pack<kLanes> second = load_pack<kLanes>(v + i);
    for (int j = 0; j < kLanes; ++j) {
      const float scaled = g.at[j] * by.grad_scale;
      first.at[j] = by.keep1 * first.at[j] + by.add1 * scaled;
      second.at[j] = by.keep2 * second.at[j] + by.add2 * scaled * scaled;
      const float update =
          first.at[j] * by.correction1 / (sqrtf(second.at[j] * by.correction2) + by.eps);
      w.at[j] -= by.lr * (update + by.decay * w.at[j]);
    }
    store_pack(m + i, first);
    store_pack(v + i, second);
    store_pack(weight + i, w);
  });
}

}  // namespace lathe::LATHE_GPU
