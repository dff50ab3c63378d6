// Dropout four elements at a time where addresses and the first place allow: 8 bytes an element, 12
// where it adds. engine/backend/dropout_values.h to the bit.
#pragma once

#include <Random123/philox.h>

#include "engine/backend/cuda/device/pack.cuh"
#include "engine/ops/dropout_args.h"

namespace lathe::LATHE_GPU {

// Of DropoutArgs what the kernel needs, its numbers worked out.
struct DropoutRule {
  unsigned long long seed, stream, site;
  Index first;
  unsigned threshold;
  float factor;
  const double* step_at;  // or null; else the stream is that of the step which lies there
};

// The four words of places 4 group .. 4 group + 3.
__device__ inline r123::Philox4x32::ctr_type dropout_words(const DropoutRule& by, Index group) {
  unsigned long long stream = by.stream;
  if (by.step_at != nullptr) {
    stream =
        kDropoutStreams + static_cast<unsigned long long>(*by.step_at) * kDropoutSites + by.site;
  }
  const auto index = static_cast<unsigned long long>(group);
  const auto low = [](unsigned long long x) { return static_cast<unsigned>(x); };
  const auto high = [](unsigned long long x) { return static_cast<unsigned>(x >> 32); };
  return r123::Philox4x32()({{low(index), high(index), low(stream), high(stream)}},
                            {{low(by.seed), high(by.seed)}});
}

template <int kWidth, bool kAdds>
static __global__ void dropout_kernel(const float* x, float* y, DropoutRule by, Index count) {
  for_each_pack<kWidth>(count, [&](auto pack, Index i) {
    constexpr int kLanes = decltype(pack)::kLanes;
    const Index place = by.first + i;
    const r123::Philox4x32::ctr_type words = dropout_words(by, place / 4);
    const Pack<kLanes> from = load_pack<kLanes>(x + i);
    Pack<kLanes> to;
    if constexpr (kAdds) {
      to = load_pack<kLanes>(y + i);
    }
    for (int j = 0; j < kLanes; ++j) {
      const bool kept = words.v[static_cast<int>(place % 4) + j] >= by.threshold;
      const float value = kept ? from.at[j] * by.factor : 0.0f;
      to.at[j] = kAdds ? to.at[j] + value : value;
    }
    store_pack(y + i, to);
  });
}

}  // namespace lathe::LATHE_GPU
