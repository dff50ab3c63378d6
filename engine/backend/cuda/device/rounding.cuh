// Floats to bf16 and back, four at a time where addresses allow, to the nearest or at random:
// engine/backend/weight_rounding.h to the bit.
#pragma once

#include <Random123/philox.h>

#include "engine/backend/cuda/device/pack.cuh"

namespace lathe::LATHE_GPU {

using Bf16Bits = unsigned short;

template <int kWidth>
struct Bf16Pack {
  unsigned at[kWidth];  // 16 bits each
};

template <int kWidth>
__device__ inline Pack<kWidth> load_bf16(const Bf16Bits* from) {
  if constexpr (kWidth == 4) {
    const uint2 two = *reinterpret_cast<const uint2*>(from);
    return {{__uint_as_float(two.x << 16), __uint_as_float(two.x & 0xffff0000u),
             __uint_as_float(two.y << 16), __uint_as_float(two.y & 0xffff0000u)}};
  } else {
    static_assert(kWidth == 1);
    return {{__uint_as_float(static_cast<unsigned>(*from) << 16)}};
  }
}

template <int kWidth>
__device__ inline void store_bf16(Bf16Bits* to, const Bf16Pack<kWidth>& pack) {
  if constexpr (kWidth == 4) {
    uint2 two;
    two.x = pack.at[0] | pack.at[1] << 16;
    two.y = pack.at[2] | pack.at[3] << 16;
    *reinterpret_cast<uint2*>(to) = two;
  } else {
    static_assert(kWidth == 1);
    *to = static_cast<Bf16Bits>(pack.at[0]);
  }
}

__device__ inline unsigned nearest_bf16(float x) {
  return __bfloat16_as_ushort(__float2bfloat16(x));
}

template <int kWidth>
__device__ inline Bf16Pack<kWidth> nearest_bf16(const Pack<kWidth>& values) {
  Bf16Pack<kWidth> bits;
  for (int j = 0; j < kWidth; ++j) {
    bits.at[j] = nearest_bf16(values.at[j]);
  }
  return bits;
}

// Which random numbers: those of philox(seed, stream, place / 8) of engine/base/rng.h.
struct RandomKey {
  unsigned long long seed, stream;
};

// The elements from `place` on, which is a multiple of 4 where there are four.
template <int kWidth>
__device__ inline Bf16Pack<kWidth> random_bf16(const Pack<kWidth>& values, RandomKey key,
                                               Index place) {
  static_assert(kWidth == 4 || kWidth == 1);
  const auto index = static_cast<unsigned long long>(place) / 8;
  const auto low = [](unsigned long long x) { return static_cast<unsigned>(x); };
  const auto high = [](unsigned long long x) { return static_cast<unsigned>(x >> 32); };
  const r123::Philox4x32::ctr_type words =
      r123::Philox4x32()({{low(index), high(index), low(key.stream), high(key.stream)}},
                         {{low(key.seed), high(key.seed)}});
  Bf16Pack<kWidth> bits;
  for (int j = 0; j < kWidth; ++j) {
    const int half = static_cast<int>(place % 8) + j;
    const unsigned word = words.v[half / 2];
    const unsigned random = half % 2 == 0 ? word & 0xffffu : word >> 16;
    const unsigned all = __float_as_uint(values.at[j]);
    const bool finite = (all & 0x7f800000u) != 0x7f800000u;
    bits.at[j] = finite ? (all + random) >> 16 : nearest_bf16(values.at[j]);
  }
  return bits;
}

// x[i] and bits[i] become the nearest bf16 of x[i]. 10 bytes an element.
template <int kWidth>
static __global__ void to_bf16_kernel(float* x, Bf16Bits* bits, Index count) {
  for_each_pack<kWidth>(count, [&](auto pack, Index i) {
    constexpr int kLanes = decltype(pack)::kLanes;
    const Bf16Pack<kLanes> rounded = nearest_bf16(load_pack<kLanes>(x + i));
    Pack<kLanes> values;
    for (int j = 0; j < kLanes; ++j) {
      values.at[j] = __uint_as_float(rounded.at[j] << 16);
    }
    store_bf16(bits + i, rounded);
    store_pack(x + i, values);
  });
}

// x[i] = bits[i]. 6 bytes an element.
template <int kWidth>
static __global__ void from_bf16_kernel(const Bf16Bits* bits, float* x, Index count) {
  for_each_pack<kWidth>(count, [&](auto pack, Index i) {
    constexpr int kLanes = decltype(pack)::kLanes;
    store_pack(x + i, load_bf16<kLanes>(bits + i));
  });
}

// bits[i] = x[i], to the nearest.
template <int kWidth>
static __global__ void round_kernel(const float* x, Bf16Bits* bits, Index count) {
  for_each_pack<kWidth>(count, [&](auto pack, Index i) {
    constexpr int kLanes = decltype(pack)::kLanes;
    store_bf16(bits + i, nearest_bf16(load_pack<kLanes>(x + i)));
  });
}

}  // namespace lathe::LATHE_GPU
