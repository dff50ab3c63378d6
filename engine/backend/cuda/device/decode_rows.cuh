// Rows of stored numbers to rows of floats in memory.
#pragma once

#include "engine/backend/cuda/device/decode_tables.cuh"

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

// Part `lane` of block `block` of a row.
template <typename Decoder>
__device__ void load_part(const MatrixView& w, Index row, Index block, int lane, Decoder& decoder) {
  if constexpr (Decoder::kTables) {
    decoder.load(w, row, block, lane);
  } else {
    decoder.load(w.data + row * row_bytes<Decoder>(w.width) + block * Decoder::kBlockBytes, lane);
  }
}

// Columns [column, column + width) of a row that are whole blocks, parts first, first + stride and
// so on of them. Where groups are of four, `to` is a multiple of 16 bytes.
template <typename Decoder>
__device__ void decode_row(const MatrixView& w, Index row, Index column, Index width, Index first,
                           Index stride, float* to) {
  const Index parts = width / Decoder::kBlockElements * Decoder::kLanes;
  for (Index part = first; part < parts; part += stride) {
    const Index block = part / Decoder::kLanes;
    const int lane = static_cast<int>(part % Decoder::kLanes);
    Decoder decoder;
    load_part(w, row, column / Decoder::kBlockElements + block, lane, decoder);
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

// Columns [column, column + width) of rows [first_row, first_row + rows) to a dense matrix. Grid: x
// over the parts of a row, y over rows.
template <typename Decoder>
static __global__ void decode_rows_kernel(MatrixView w, Index first_row, Index rows, Index column,
                                          Index width, float* to) {
  for (Index row = blockIdx.y; row < rows; row += gridDim.y) {
    decode_row<Decoder>(w, first_row + row, column, width, first_item(), item_stride(),
                        to + row * width);
  }
}

}  // namespace lathe::LATHE_GPU
