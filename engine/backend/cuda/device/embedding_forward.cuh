// Rows of a table by index, decoded on the way.
#pragma once

#include "engine/backend/cuda/device/decode_rows.cuh"

namespace lathe::LATHE_GPU {

// A block per row of out.
template <typename Decoder>
static __global__ void embedding_forward_kernel(const Byte* table, const int* ids, float* out,
                                                Index table_rows, Index width) {
  const Index row = blockIdx.x;
  const Index id = ids[row];
  if (id < 0 || id >= table_rows) {
    __trap();
  }
  decode_row<Decoder>({table, table_rows, width}, id, 0, width, threadIdx.x, blockDim.x,
                      out + row * width);
}

}  // namespace lathe::LATHE_GPU
