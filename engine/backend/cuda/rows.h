// Grids for kernels that give each row of a matrix to a warp or a block (device/row.cuh).
#pragma once

#include "engine/backend/cuda/alignment.h"
#include "engine/backend/cuda/device/row.cuh"
#include "engine/backend/cuda/launch.h"

namespace lathe::LATHE_GPU {

// Threads that a row of `width` columns keeps busy: a warp's, or a power of two up to
// kMostRowThreads.
inline unsigned row_threads(std::int64_t width) {
  unsigned threads = kWarpThreads;
  while (threads < kMostRowThreads && threads * kHeldColumns < width) {
    threads *= 2;
  }
  return threads;
}

// For kernels over RowTeam<row_threads(width) == kWarpThreads>.
inline KernelCall row_call(const char* op, std::int64_t rows, std::int64_t width) {
  CHECK(width <= 0x7fffffff, "a row has fewer than 2^31 columns");
  const unsigned threads = row_threads(width);
  if (threads == kWarpThreads) {
    return {.op = op,
            .grid = blocks_for(rows, kWarpRowsThreads / kWarpThreads),
            .block = kWarpRowsThreads};
  }
  return {.op = op,
          .grid = blocks_for(rows, 1),
          .block = threads,
          .shared_bytes = kWarpThreads * sizeof(float)};
}

// Of the four copies of a row kernel, by pack width and team, the one for these rows.
template <typename Kernel>
Kernel pick_row_kernel(std::int64_t width, bool fours, Kernel warp_fours, Kernel warp_ones,
                       Kernel block_fours, Kernel block_ones) {
  if (row_threads(width) == kWarpThreads) {
    return fours ? warp_fours : warp_ones;
  }
  return fours ? block_fours : block_ones;
}

}  // namespace lathe::LATHE_GPU
