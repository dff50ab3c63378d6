// Moments of 8 bits: a warp has a block of one, eight elements a lane in two groups of four, and
// the maps lie in shared memory. engine/backend/cpu_ref/optimizer.cpp is the definition.
#pragma once

#include "engine/backend/cuda/device/pack.cuh"
#include "engine/backend/cuda/device/reduce.cuh"
#include "engine/quant/dynamic_map.h"

namespace lathe::LATHE_GPU {

constexpr int kCodedBlock = 256;  // elements
constexpr int kMapFloats = 2 * kDynamicCodes;

// The signed map, then the unsigned one. Every thread of the block takes part.
__device__ inline void fill_maps(float* maps) {
  for (int code = static_cast<int>(threadIdx.x); code < kDynamicCodes;
       code += static_cast<int>(blockDim.x)) {
    maps[code] = dynamic_value(DynamicMap::kSigned, code);
    maps[kDynamicCodes + code] = dynamic_value(DynamicMap::kUnsigned, code);
  }
  __syncthreads();
}

// A block of one moment, and what of it a lane holds in between.
template <DynamicMap kMap>
struct MomentBlock {
  unsigned char* codes;  // of the whole tensor
  float* absmax;         // of this block
  const float* map;
  float values[8] = {};

  __device__ MomentBlock(void* all, float* absmaxes, Index begin, const float* maps)
      : codes(static_cast<unsigned char*>(all)),
        absmax(absmaxes + begin / kCodedBlock),
        map(maps + (kMap == DynamicMap::kSigned ? 0 : kDynamicCodes)) {}

  // The elements from i on.
  template <int kWidth>
  __device__ Pack<kWidth> load(Index i) const {
    const unsigned word =
        kWidth == 4 ? *reinterpret_cast<const unsigned*>(codes + i) : unsigned{codes[i]};
    Pack<kWidth> pack;
    for (int j = 0; j < kWidth; ++j) {
      pack.at[j] = map[word >> 8 * j & 0xffu] * *absmax;
    }
    return pack;
  }

  // Of values[first] on to the elements from i on.
  template <int kWidth>
  __device__ void store(Index i, int first, float divisor) const {
    unsigned word = 0;
    for (int j = 0; j < kWidth; ++j) {
      const int code = nearest_code_of_sign(kMap, map, values[first + j] / divisor);
      word |= static_cast<unsigned>(code) << 8 * j;
    }
    if constexpr (kWidth == 4) {
      *reinterpret_cast<unsigned*>(codes + i) = word;
    } else {
      codes[i] = static_cast<unsigned char>(word);
    }
  }

  // The new absmax of the block, written; what its values are to be divided by. All lanes take
  // part, and those without elements hold 0.
  __device__ float close() const {
    constexpr float kMost = 3.402823466e38f;
    float size = 0.0f;
    for (const float value : values) {
      size = Max{}(fabsf(value), size);
    }
    size = reduce_warp(size, Max{});
    size = size < kMost ? size : kMost;
    if (threadIdx.x % 32 == 0) {
      *absmax = size;
    }
    return size > 0.0f ? size : 1.0f;
  }
};

}  // namespace lathe::LATHE_GPU
