// Weights seen as codes of 16 bits.
#pragma once

#include "engine/backend/cuda/device/rounding.cuh"

namespace lathe::LATHE_GPU {

constexpr int kCodes = 65536;

// CodedWeights (engine/ops/palette_args.h); one of `floats` and `bits` is null.
struct Coded {
  const float* floats;
  const Bf16Bits* bits;
  const float* scales;  // or null
  Index elements, cols;
  bool half;  // codes are f16

  __device__ float scale(Index i) const { return scales == nullptr ? 1.0f : scales[i / cols]; }
  __device__ unsigned code(Index i) const {
    if (floats == nullptr && scales == nullptr) {
      return bits[i];
    }
    const float w =
        floats != nullptr ? floats[i] : __uint_as_float(static_cast<unsigned>(bits[i]) << 16);
    const float x = w / scale(i);
    return half ? __half_as_ushort(__float2half(x)) : nearest_bf16(x);
  }
};

}  // namespace lathe::LATHE_GPU
