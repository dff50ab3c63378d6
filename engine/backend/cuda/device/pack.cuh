// Four floats, or two, that one instruction moves, and walks over tensors in such packs. kWidth is
// 4 where the host found all addresses and extents divisible by it (alignment.h), else 1.
#pragma once

#include "engine/backend/cuda/device/grid.cuh"

namespace lathe::LATHE_GPU {

template <int kWidth>
struct Pack {
  static constexpr int kLanes = kWidth;
  float at[kWidth];
};

template <int kWidth>
__device__ inline Pack<kWidth> load_pack(const float* from) {
  if constexpr (kWidth == 4) {
    const float4 four = *reinterpret_cast<const float4*>(from);
    return {{four.x, four.y, four.z, four.w}};
  } else if constexpr (kWidth == 2) {
    const float2 two = *reinterpret_cast<const float2*>(from);
    return {{two.x, two.y}};
  } else {
    return {{*from}};
  }
}

template <int kWidth>
__device__ inline void store_pack(float* to, const Pack<kWidth>& pack) {
  if constexpr (kWidth == 4) {
    *reinterpret_cast<float4*>(to) = make_float4(pack.at[0], pack.at[1], pack.at[2], pack.at[3]);
  } else if constexpr (kWidth == 2) {
    *reinterpret_cast<float2*>(to) = make_float2(pack.at[0], pack.at[1]);
  } else {
    *to = pack.at[0];
  }
}

template <int kWidth>
__device__ inline float sum_of(const Pack<kWidth>& pack) {
  if constexpr (kWidth == 4) {
    return (pack.at[0] + pack.at[1]) + (pack.at[2] + pack.at[3]);
  } else {
    static_assert(kWidth == 1);
    return pack.at[0];
  }
}

// body(Pack<kWidth>{}, i) for each pack of [0, count) that is this thread's, then
// body(Pack<1>{}, i) for an element of what is left; the first argument only tells the width.
template <int kWidth, typename Body>
__device__ inline void for_each_pack(Index count, const Body& body) {
  const Index packs = count / kWidth;
  for (Index pack = first_item(); pack < packs; pack += item_stride()) {
    body(Pack<kWidth>{}, pack * kWidth);
  }
  const Index rest = packs * kWidth + first_item();
  if (kWidth > 1 && rest < count) {
    body(Pack<1>{}, rest);
  }
}

}  // namespace lathe::LATHE_GPU
