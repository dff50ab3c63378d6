// Sums and maxima over a warp and over a block, in an order that only the block's size decides.
#pragma once

#include "engine/backend/cuda/device/grid.cuh"

namespace lathe::LATHE_GPU {

struct Sum {
  template <typename T>
  __device__ T operator()(T a, T b) const {
    return a + b;
  }
};
struct Max {
  template <typename T>
  __device__ T operator()(T a, T b) const {
    return a > b ? a : b;
  }
};

// In every lane: `combine` of all lanes' values. All 32 lanes take part.
template <typename T, typename Combine>
__device__ T reduce_warp(T value, const Combine& combine) {
  for (int distance = 16; distance > 0; distance /= 2) {
    value = combine(value, __shfl_xor_sync(0xffffffffu, value, distance));
  }
  return value;
}

// In every thread: `combine` of all threads' values; `neutral` changes nothing. `room` is shared
// memory for 32 values, free again when the call returns. Every thread of the block takes part.
template <typename T, typename Combine>
__device__ T reduce_block(T value, T neutral, const Combine& combine, T* room) {
  const unsigned thread = threadIdx.x;
  const unsigned warps = blockDim.x / 32;
  value = reduce_warp(value, combine);
  if (thread % 32 == 0) {
    room[thread / 32] = value;
  }
  __syncthreads();
  value = reduce_warp(thread % 32 < warps ? room[thread % 32] : neutral, combine);
  __syncthreads();
  return value;
}

}  // namespace lathe::LATHE_GPU
