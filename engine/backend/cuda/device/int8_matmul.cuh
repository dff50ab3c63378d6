// The product in integers: columns with outliers are found and rows rounded in two passes over x,
// then tiles of the product are summed by four bytes at a time (dp4a), and outliers in floats.
#pragma once

#include <cstdint>

#include "engine/backend/cuda/device/reduce.cuh"
#include "engine/ops/int8_rounding.h"

namespace lathe::LATHE_GPU {

// A block computes kInt8Tile rows and columns of y, each thread kInt8Each of both; it takes
// kInt8Step columns of x and w at a time. A row of words is one longer in shared memory, so that
// the rows begin in different banks.
inline constexpr int kInt8Tile = 64, kInt8Each = 4, kInt8Step = 64;
inline constexpr int kInt8Threads = (kInt8Tile / kInt8Each) * (kInt8Tile / kInt8Each);
inline constexpr int kInt8Words = kInt8Step / 4 + 1;
inline constexpr int kInt8SharedBytes = 2 * kInt8Tile * kInt8Words * 4;

// columns[c] = whether any |x[n][c]| does not stay below the limit. x: [rows, width].
static __global__ void int8_columns_kernel(const float* x, Index rows, Index width, float limit,
                                           int* columns) {
  for (Index column = first_item(); column < width; column += item_stride()) {
    bool outlier = false;
    for (Index row = 0; row < rows; ++row) {
      outlier = outlier || !(fabsf(x[row * width + column]) < limit);
    }
    columns[column] = outlier ? 1 : 0;
  }
}

// A row for a block: its codes, zeros in marked columns, and what a code is worth.
static __global__ void __launch_bounds__(1024)
    int8_codes_kernel(const float* x, const int* columns, Index width, signed char* codes,
                      float* scales) {
  const Index row = blockIdx.x;
  const float* const from = x + row * width;
  float largest = 0.0f;
  for (Index column = threadIdx.x; column < width; column += blockDim.x) {
    const float size = columns[column] != 0 ? 0.0f : fabsf(from[column]);
    largest = Max()(size, largest);
  }
  largest = reduce_block(largest, 0.0f, Max(), shared_memory<float>());
  const float factor = int8_factor(largest);
  for (Index column = threadIdx.x; column < width; column += blockDim.x) {
    const int code = columns[column] != 0 ? 0 : __float2int_rn(from[column] * factor);
    codes[row * width + column] = static_cast<signed char>(code);
  }
  if (threadIdx.x == 0) {
    scales[row] = int8_scale(largest);
  }
}

// What the kernel of the product reads and writes. codes: [rows, width], weights: [out, width],
// both at multiples of four bytes; width: a multiple of 32.
struct Int8Operands {
  const float* x;
  const signed char* codes;
  const float* scales;
  const int* columns;
  const signed char* weights;
  const float* weight_scales;
  float* y;
  Index rows, out, width;
};

// kInt8Step columns from `column` on of the rows from `first` on; zeros where there are none.
__device__ inline void load_tile(const signed char* from, Index first, Index rows, Index column,
                                 Index width, int* tile) {
  constexpr int kWords = kInt8Step / 4;
  for (int i = static_cast<int>(threadIdx.x); i < kInt8Tile * kWords; i += kInt8Threads) {
    const Index row = first + i / kWords;
    const Index at = column + 4 * (i % kWords);
    tile[i / kWords * kInt8Words + i % kWords] =
        row < rows && at < width ? *reinterpret_cast<const int*>(from + row * width + at) : 0;
  }
}

// Adds to floats[i][j] the products of marked columns among the kInt8Step that begin at `column`.
__device__ inline void add_marked(const Int8Operands& all, Index column, Index row, const int* w,
                                  float (*floats)[kInt8Each]) {
  const int lane = static_cast<int>(threadIdx.x % 32);
  for (int half = 0; half < kInt8Step && column + half < all.width; half += 32) {
    unsigned marked = __ballot_sync(0xffffffffu, all.columns[column + half + lane] != 0);
    while (marked != 0) {
      const int at = half + __ffs(static_cast<int>(marked)) - 1;
      marked &= marked - 1;
#pragma unroll
      for (int i = 0; i < kInt8Each; ++i) {
        const float x = row + i < all.rows ? all.x[(row + i) * all.width + column + at] : 0.0f;
#pragma unroll
        for (int j = 0; j < kInt8Each; ++j) {
          const int word = w[j * kInt8Words + at / 4];
          floats[i][j] += x * static_cast<float>(static_cast<signed char>(word >> 8 * (at % 4)));
        }
      }
    }
  }
}

static __global__ void __launch_bounds__(kInt8Threads) int8_products_kernel(Int8Operands all) {
  int* const x = shared_memory<int>();
  int* const w = x + kInt8Tile * kInt8Words;
  constexpr int kAcross = kInt8Tile / kInt8Each;
  const int top = static_cast<int>(threadIdx.x) / kAcross * kInt8Each;
  const int left = static_cast<int>(threadIdx.x) % kAcross * kInt8Each;
  const Index first = static_cast<Index>(blockIdx.y) * kInt8Tile;
  const Index begin = static_cast<Index>(blockIdx.x) * kInt8Tile;
  int sums[kInt8Each][kInt8Each] = {};
  float floats[kInt8Each][kInt8Each] = {};
  for (Index column = 0; column < all.width; column += kInt8Step) {
    load_tile(all.codes, first, all.rows, column, all.width, x);
    load_tile(all.weights, begin, all.out, column, all.width, w);
    __syncthreads();
    for (int word = 0; word < kInt8Step / 4; ++word) {
      int right[kInt8Each];
#pragma unroll
      for (int j = 0; j < kInt8Each; ++j) {
        right[j] = w[(left + j) * kInt8Words + word];
      }
#pragma unroll
      for (int i = 0; i < kInt8Each; ++i) {
        const int four = x[(top + i) * kInt8Words + word];
#pragma unroll
        for (int j = 0; j < kInt8Each; ++j) {
          sums[i][j] = __dp4a(four, right[j], sums[i][j]);
        }
      }
    }
    add_marked(all, column, first + top, w + left * kInt8Words, floats);
    __syncthreads();
  }
  for (int i = 0; i < kInt8Each; ++i) {
    for (int j = 0; j < kInt8Each; ++j) {
      const Index row = first + top + i, o = begin + left + j;
      if (row < all.rows && o < all.out) {
        all.y[row * all.out + o] =
            (static_cast<float>(sums[i][j]) * all.scales[row] + floats[i][j]) *
            all.weight_scales[o];
      }
    }
  }
}

}  // namespace lathe::LATHE_GPU
