// What all attention kernels are made of: tiles of vectors in shared memory, and the two products
// of such tiles, both with sums that stay in registers. A block is 8 rows of 16 threads; a thread
// holds the rows y + 8 i of a result and the columns x + 16 j of scores or 2 x + 32 c and the one
// after it of vectors. The 16 threads of a row of threads are half a warp, so that weights go from
// the first product to the second without a barrier of the block.
#pragma once

#include "engine/backend/cuda/device/attention_shape.cuh"

namespace lathe::LATHE_GPU {

inline constexpr int kThreadRows = 8;
inline constexpr int kThreadColumns = 16;
// Between the rows of a tile, so that the same element of 8 rows lies in different banks.
inline constexpr int kTileGap = 4;

__device__ inline int thread_row() {
  return static_cast<int>(threadIdx.x) / kThreadColumns;
}
__device__ inline int thread_column() {
  return static_cast<int>(threadIdx.x) % kThreadColumns;
}

// Four elements of a row from column `column`, zeros beyond its end.
__device__ inline float4 four_of(const float* row, int column, int width, bool by_four) {
  if (by_four) {
    return column < width ? *reinterpret_cast<const float4*>(row + column)
                          : make_float4(0.0f, 0.0f, 0.0f, 0.0f);
  }
  return make_float4(
      column < width ? row[column] : 0.0f, column + 1 < width ? row[column + 1] : 0.0f,
      column + 2 < width ? row[column + 2] : 0.0f, column + 3 < width ? row[column + 3] : 0.0f);
}

// tile = vectors first .. first + kRows, zeros where there are none.
template <int kDim, int kRows>
__device__ void load_tile(float* tile, const HeadRows& from, Index first) {
  constexpr int kFours = kDim / 4;
  const bool by_four = from.by_four();
  for (int i = static_cast<int>(threadIdx.x); i < kRows * kFours; i += kAttentionThreads) {
    const int row = i / kFours;
    const int column = i % kFours * 4;
    const float4 four = first + row < from.count
                            ? four_of(from.at(first + row), column, from.width, by_four)
                            : make_float4(0.0f, 0.0f, 0.0f, 0.0f);
    *reinterpret_cast<float4*>(tile + row * (kDim + kTileGap) + column) = four;
  }
}

// scores[i][j] = <row y + 8 i of a, row x + 16 j of b>. Of four elements, a warp reads kRows times
// two vectors of a (one access of the banks each) and kColumns times 16 of b (two each) for
// 4 kRows kColumns multiplications: with 8 x 4 the banks are busy half of the time.
template <int kDim, int kRows, int kColumns>
__device__ void multiply_rows(const float* a, const float* b, float (&scores)[kRows][kColumns]) {
  constexpr int kPitch = kDim + kTileGap;
  a += thread_row() * kPitch;
  b += thread_column() * kPitch;
#pragma unroll
  for (int i = 0; i < kRows; ++i) {
#pragma unroll
    for (int j = 0; j < kColumns; ++j) {
      scores[i][j] = 0.0f;
    }
  }
#pragma unroll 1
  for (int d = 0; d < kDim; d += 4) {
    float4 left[kRows];
#pragma unroll
    for (int i = 0; i < kRows; ++i) {
      left[i] = *reinterpret_cast<const float4*>(a + i * kThreadRows * kPitch + d);
    }
#pragma unroll
    for (int j = 0; j < kColumns; ++j) {
      const float4 right = *reinterpret_cast<const float4*>(b + j * kThreadColumns * kPitch + d);
#pragma unroll
      for (int i = 0; i < kRows; ++i) {
        scores[i][j] += left[i].x * right.x;
        scores[i][j] += left[i].y * right.y;
        scores[i][j] += left[i].z * right.z;
        scores[i][j] += left[i].w * right.w;
      }
    }
  }
}

// sums[i][2 c + n], column 2 x + 32 c + n of row y + 8 i, += weights[row][0 .. kKeys) times the
// vectors of the tile x.
template <int kDim, int kKeys, int kRows>
__device__ void add_weighted(const float* weights, const float* x,
                             float (&sums)[kRows][kDim / kThreadColumns]) {
  constexpr int kPitch = kDim + kTileGap;
  constexpr int kWeightsPitch = kKeys + kTileGap;
  weights += thread_row() * kWeightsPitch;
  x += 2 * thread_column();
#pragma unroll 1
  for (int key = 0; key < kKeys; key += 4) {
    float4 left[kRows];
#pragma unroll
    for (int i = 0; i < kRows; ++i) {
      left[i] = *reinterpret_cast<const float4*>(weights + i * kThreadRows * kWeightsPitch + key);
    }
#pragma unroll
    for (int n = 0; n < 4; ++n) {
#pragma unroll
      for (int c = 0; c < kDim / 32; ++c) {
        const float2 right = *reinterpret_cast<const float2*>(x + (key + n) * kPitch + 32 * c);
#pragma unroll
        for (int i = 0; i < kRows; ++i) {
          const float weight = n == 0   ? left[i].x
                               : n == 1 ? left[i].y
                               : n == 2 ? left[i].z
                                        : left[i].w;
          sums[i][2 * c] += weight * right.x;
          sums[i][2 * c + 1] += weight * right.y;
        }
      }
    }
  }
}

// Of the 16 threads of a row of threads.
template <typename Combine>
__device__ float reduce_row(float value, const Combine& combine) {
#pragma unroll
  for (int distance = kThreadColumns / 2; distance > 0; distance /= 2) {
    value = combine(value, __shfl_xor_sync(0xffffffffu, value, distance));
  }
  return value;
}

// to[column] = the thread's columns of one row.
template <int kDim>
__device__ void store_row(float* to, const float (&row)[kDim / kThreadColumns], float factor,
                          int width) {
#pragma unroll
  for (int c = 0; c < kDim / kThreadColumns; ++c) {
    const int column = 2 * thread_column() + 32 * (c / 2) + c % 2;
    if (column < width) {
      to[column] = row[c] * factor;
    }
  }
}

}  // namespace lathe::LATHE_GPU
