// Sums over the rows of a matrix, in two stages whose order only the shape decides: blocks add
// slices of the rows, tile by tile of 32 columns, then one thread a column adds the slices in
// double. `Terms` says what is summed: kSums, and add(row, at, sums), which adds what the element
// at index `at` of the row gives to each sum. Each look at a tensor costs 4 bytes an element.
#pragma once

#include "engine/backend/cuda/device/grid.cuh"

namespace lathe::LATHE_GPU {

constexpr int kColumnTile = 32;
// Rows that a block looks at together: one a warp.
constexpr int kTileRows = 16;

struct BiasTerms {
  static constexpr int kSums = 1;
  static constexpr int kAhead = 8;
  const float* dy;
  __device__ void add(Index, Index at, float* sums) const { sums[0] += dy[at]; }
};

struct DotTerms {
  static constexpr int kSums = 1;
  static constexpr int kAhead = 4;
  const float *a, *b;
  __device__ void add(Index, Index at, float* sums) const { sums[0] += a[at] * b[at]; }
};

struct RmsnormTerms {
  static constexpr int kSums = 1;
  static constexpr int kAhead = 4;
  const float *dy, *x, *rstd;
  __device__ void add(Index row, Index at, float* sums) const {
    sums[0] += dy[at] * (x[at] * rstd[row]);
  }
};

struct LayernormTerms {
  static constexpr int kSums = 2;
  static constexpr int kAhead = 4;
  const float *dy, *x, *mean, *rstd;
  __device__ void add(Index row, Index at, float* sums) const {
    const float slope = dy[at];
    sums[0] += slope * ((x[at] - mean[row]) * rstd[row]);
    sums[1] += slope;
  }
};

// Columns [first, first + columns) of a matrix that is `width` wide.
struct ColumnRange {
  Index rows, width, first, columns;
};

// partial[(slice * kSums + sum) * columns + column] for slice blockIdx.y of gridDim.y and the
// tile blockIdx.x. Slices take turns at groups of kTileRows rows, the last ones first: a kernel
// that went over the rows just before has left these in the cache.
template <typename Terms>
static __global__ void __launch_bounds__(kColumnTile* kTileRows)
    column_slices_kernel(Terms terms, ColumnRange range, float* partial) {
  const int lane = static_cast<int>(threadIdx.x % kColumnTile);
  const int warp = static_cast<int>(threadIdx.x / kColumnTile);
  const Index column = static_cast<Index>(blockIdx.x) * kColumnTile + lane;
  float sums[Terms::kSums] = {};
  if (column < range.columns) {
    constexpr int kAhead = Terms::kAhead;
    const Index step = static_cast<Index>(gridDim.y) * kTileRows;
    Index row = range.rows - 1 - static_cast<Index>(blockIdx.y) * kTileRows - warp;
    float chains[kAhead][Terms::kSums] = {};
    for (; row - (kAhead - 1) * step >= 0; row -= kAhead * step) {
      for (int ahead = 0; ahead < kAhead; ++ahead) {
        const Index at = row - ahead * step;
        terms.add(at, at * range.width + range.first + column, chains[ahead]);
      }
    }
    for (; row >= 0; row -= step) {
      terms.add(row, row * range.width + range.first + column, sums);
    }
    for (int ahead = 0; ahead < kAhead; ++ahead) {
      for (int s = 0; s < Terms::kSums; ++s) {
        sums[s] += chains[ahead][s];
      }
    }
  }
  float* const of_warps = shared_memory<float>();
  for (int s = 0; s < Terms::kSums; ++s) {
    of_warps[(s * kTileRows + warp) * kColumnTile + lane] = sums[s];
  }
  __syncthreads();
  if (warp < Terms::kSums && column < range.columns) {
    double sum = 0.0;
    for (int w = 0; w < kTileRows; ++w) {
      sum += static_cast<double>(of_warps[(warp * kTileRows + w) * kColumnTile + lane]);
    }
    const Index slot = static_cast<Index>(blockIdx.y) * Terms::kSums + warp;
    partial[slot * range.columns + column] = static_cast<float>(sum);
  }
}

// to[s][column] += the slices' sums; a null `to` is left out.
template <int kSums>
static __global__ void add_slices_kernel(const float* partial, Index columns, Index slices,
                                         float* first, float* second) {
  const Index column = first_item();
  if (column >= columns) {
    return;
  }
  for (int s = 0; s < kSums; ++s) {
    float* const to = s == 0 ? first : second;
    if (to == nullptr) {
      continue;
    }
    double sum = 0.0;
    for (Index slice = 0; slice < slices; ++slice) {
      sum += static_cast<double>(partial[(slice * kSums + s) * columns + column]);
    }
    to[column] = static_cast<float>(static_cast<double>(to[column]) + sum);
  }
}

}  // namespace lathe::LATHE_GPU
