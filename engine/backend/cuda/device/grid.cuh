// Where a thread stands in a grid of one dimension, and how it walks over more items than there are
// threads.
#pragma once

namespace lathe::LATHE_GPU {

using Index = long long;

__device__ inline Index first_item() {
  return static_cast<Index>(blockIdx.x) * blockDim.x + threadIdx.x;
}
__device__ inline Index item_stride() {
  return static_cast<Index>(gridDim.x) * blockDim.x;
}

}  // namespace lathe::LATHE_GPU
