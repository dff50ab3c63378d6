// Tiles whose elements are rounded on their way into shared memory, and products of such tiles on
// tensor cores, 16 x 16 results at a time. A block is four warps; each owns rows of the results.
#pragma once

#include "engine/backend/cuda/device/attention_tile.cuh"

namespace lathe::LATHE_GPU {

namespace wmma = nvcuda::wmma;

inline constexpr int kWarps = kAttentionThreads / 32;
inline constexpr int kEdge = 16;  // rows and columns of a product on tensor cores

// Sixteen bytes between the rows of a tile put the same column of 8 rows into different banks.
struct Bf16Format {
  using Factor = __nv_bfloat16;
  using Stored = __nv_bfloat16;
  static constexpr int kDepth = 16;
  static constexpr int kGap = 8;
  // Edges of rows that a warp of attention forward owns.
  static constexpr int kForwardEdges = 2;
  struct alignas(8) Four {
    __nv_bfloat162 front, back;
  };

  __device__ static Stored rounded(float x) { return __float2bfloat16(x); }
  __device__ static Four rounded(const float4& x) {
    return {__floats2bfloat162_rn(x.x, x.y), __floats2bfloat162_rn(x.z, x.w)};
  }
};
struct Tf32Format {
  using Factor = wmma::precision::tf32;
  using Stored = float;
  static constexpr int kDepth = 8;
  static constexpr int kGap = 4;
  static constexpr int kForwardEdges = 1;
  using Four = float4;

  __device__ static Stored rounded(float x) { return wmma::__float_to_tf32(x); }
  __device__ static Four rounded(const float4& x) {
    return make_float4(rounded(x.x), rounded(x.y), rounded(x.z), rounded(x.w));
  }
};

template <typename Format>
using Sums = wmma::fragment<wmma::accumulator, kEdge, kEdge, Format::kDepth, float>;
template <typename Format, typename Use, typename Layout>
using Factors = wmma::fragment<Use, kEdge, kEdge, Format::kDepth, typename Format::Factor, Layout>;

__device__ inline int warp_of_block() {
  return static_cast<int>(threadIdx.x) / 32;
}
__device__ inline int lane_of_warp() {
  return static_cast<int>(threadIdx.x) % 32;
}

// tile = vectors first .. first + kRows, rounded, zeros where there are none.
template <typename Format, int kDim, int kRows>
__device__ void load_rounded(typename Format::Stored* tile, const HeadRows& from, Index first) {
  constexpr int kFours = kDim / 4;
  const bool by_four = from.by_four();
  for (int i = static_cast<int>(threadIdx.x); i < kRows * kFours; i += kAttentionThreads) {
    const int row = i / kFours;
    const int column = i % kFours * 4;
    const float4 four = first + row < from.count
                            ? four_of(from.at(first + row), column, from.width, by_four)
                            : make_float4(0.0f, 0.0f, 0.0f, 0.0f);
    *reinterpret_cast<typename Format::Four*>(tile + row * (kDim + Format::kGap) + column) =
        Format::rounded(four);
  }
}

template <typename Format, int kRows, int kColumns>
__device__ void set_zero(Sums<Format> (&sums)[kRows][kColumns]) {
#pragma unroll
  for (int i = 0; i < kRows; ++i) {
#pragma unroll
    for (int j = 0; j < kColumns; ++j) {
      wmma::fill_fragment(sums[i][j], 0.0f);
    }
  }
}

// scores = the warp's rows from `a` on times the rows of the tile b, transposed. Of each
// Format::kDepth elements it loads kRows + kColumns fragments for kRows kColumns products.
template <typename Format, int kDim, int kRows, int kColumns>
__device__ void multiply_rows(const typename Format::Stored* a, const typename Format::Stored* b,
                              Sums<Format> (&scores)[kRows][kColumns]) {
  constexpr int kPitch = kDim + Format::kGap;
  set_zero<Format>(scores);
#pragma unroll 1
  for (int d = 0; d < kDim; d += Format::kDepth) {
    Factors<Format, wmma::matrix_a, wmma::row_major> left[kRows];
#pragma unroll
    for (int i = 0; i < kRows; ++i) {
      wmma::load_matrix_sync(left[i], a + i * kEdge * kPitch + d, kPitch);
    }
#pragma unroll
    for (int j = 0; j < kColumns; ++j) {
      Factors<Format, wmma::matrix_b, wmma::col_major> right;
      wmma::load_matrix_sync(right, b + j * kEdge * kPitch + d, kPitch);
#pragma unroll
      for (int i = 0; i < kRows; ++i) {
        wmma::mma_sync(scores[i][j], left[i], right, scores[i][j]);
      }
    }
  }
}

// sums += the warp's rows of weights, `pitch` apart, times the kOthers vectors of the tile x.
template <typename Format, int kDim, int kOthers, int kRows>
__device__ void add_weighted(const typename Format::Stored* weights, int pitch,
                             const typename Format::Stored* x,
                             Sums<Format> (&sums)[kRows][kDim / kEdge]) {
  constexpr int kPitch = kDim + Format::kGap;
#pragma unroll 1
  for (int at = 0; at < kOthers; at += Format::kDepth) {
    Factors<Format, wmma::matrix_a, wmma::row_major> left[kRows];
#pragma unroll
    for (int i = 0; i < kRows; ++i) {
      wmma::load_matrix_sync(left[i], weights + i * kEdge * pitch + at,
                             static_cast<unsigned>(pitch));
    }
#pragma unroll
    for (int c = 0; c < kDim / kEdge; ++c) {
      Factors<Format, wmma::matrix_b, wmma::row_major> right;
      wmma::load_matrix_sync(right, x + at * kPitch + c * kEdge, kPitch);
#pragma unroll
      for (int i = 0; i < kRows; ++i) {
        wmma::mma_sync(sums[i][c], left[i], right, sums[i][c]);
      }
    }
  }
}

// Where the elements lie that a lane holds of a fragment of sums, which CUDA leaves open: found by
// loading a matrix that says it. `room`: 1 KiB of the warp's own.
template <typename Format>
struct Places {
  int at[Sums<Format>::num_elements];

  __device__ explicit Places(float* room) {
    for (int i = lane_of_warp(); i < kEdge * kEdge; i += 32) {
      room[i] = static_cast<float>(i);
    }
    __syncwarp();
    Sums<Format> numbers;
    wmma::load_matrix_sync(numbers, room, kEdge, wmma::mem_row_major);
    __syncwarp();
#pragma unroll
    for (int i = 0; i < numbers.num_elements; ++i) {
      at[i] = static_cast<int>(numbers.x[i]);
    }
  }
  __device__ int row(int i) const {
    return at[i] / kEdge;
  }
  __device__ int column(int i) const {
    return at[i] % kEdge;
  }
};

// What a warp needs to store a fragment by way of shared memory.
inline constexpr int kStagePitch = kEdge + 4;
inline constexpr int kStageFloats = kEdge * kStagePitch;

// Rows first .. first + 16 of `rows`, which lie at `to`, get a row of fragments.
template <typename Format, int kColumns>
__device__ void store_rows(float* to, const HeadRows& rows, Index first,
                           const Sums<Format> (&sums)[kColumns], float* stage) {
#pragma unroll
  for (int c = 0; c < kColumns; ++c) {
    wmma::store_matrix_sync(stage, sums[c], kStagePitch, wmma::mem_row_major);
    __syncwarp();
    const int column = lane_of_warp() % kEdge;
    for (int row = lane_of_warp() / kEdge; row < kEdge; row += 2) {
      if (first + row < rows.count && c * kEdge + column < rows.width) {
        to[rows.offset(first + row) + c * kEdge + column] = stage[row * kStagePitch + column];
      }
    }
    __syncwarp();
  }
}

}  // namespace lathe::LATHE_GPU
