// Rows of stored numbers to rows of floats in memory.
#pragma once

#include "engine/backend/cuda/device/decode_k.cuh"

namespace lathe::LATHE_GPU {

template <typename Decoder>
__device__ Index row_bytes(Index width) {
  return width / Decoder::kBlockElements * Decoder::kBlockBytes;
}

// One group of a decoder that is loaded.
template <typename Decoder>
__device__ void group_values(const Decoder& part, int group, float* values) {
  part.levels(group, values);
#pragma unroll
  for (int j = 0; j < Decoder::kWidth; ++j) {
    values[j] *= part.scale(group);
    if constexpr (Decoder::kMin) {
      values[j] += part.min(group);
    }
  }
}

// `width` elements that are whole blocks, parts first, first + stride and so on of them. Where
// groups are of four, `to` is a multiple of 16 bytes.
template <typename Decoder>
__device__ void decode_row(const Byte* from, Index width, Index first, Index stride, float* to) {
  const Index parts = width / Decoder::kBlockElements * Decoder::kLanes;
  for (Index part = first; part < parts; part += stride) {
    const Index block = part / Decoder::kLanes;
    const int lane = static_cast<int>(part % Decoder::kLanes);
    Decoder decoder;
    decoder.load(from + block * Decoder::kBlockBytes, lane);
#pragma unroll
    for (int group = 0; group < Decoder::kGroups; ++group) {
      float values[Decoder::kWidth];
      group_values(decoder, group, values);
      float* const at = to + block * Decoder::kBlockElements + Decoder::element(lane, group);
      if constexpr (Decoder::kWidth == 4) {
        *reinterpret_cast<float4*>(at) = make_float4(values[0], values[1], values[2], values[3]);
      } else {
        at[0] = values[0];
      }
    }
  }
}

// Rows of a matrix from `from` on, of which each begins `row_bytes` after the one before, to a
// dense one. Grid: x over the parts of a row, y over rows.
template <typename Decoder>
static __global__ void decode_rows_kernel(const Byte* from, Index row_bytes, Index rows,
                                          Index width, float* to) {
  for (Index row = blockIdx.y; row < rows; row += gridDim.y) {
    decode_row<Decoder>(from + row * row_bytes, width, first_item(), item_stride(),
                        to + row * width);
  }
}

}  // namespace lathe::LATHE_GPU
