// Few rows of x times a stored weight: the weight is read once, as it lies, and decoded in
// registers.
#pragma once

#include "engine/backend/cuda/device/decode_rows.cuh"
#include "engine/backend/cuda/device/reduce.cuh"

namespace lathe::LATHE_GPU {

// Rows of the weight that a block multiplies at a time, so that what it reads of x, which is wider
// than the weight, serves all of them; and its threads, at most.
inline constexpr int kDotRows = 4;
inline constexpr int kDotThreads = 128;

template <int kWidth>
__device__ void read_floats(const float* from, float* to) {
  if constexpr (kWidth == 4) {
    const float4 all = *reinterpret_cast<const float4*>(from);
    to[0] = all.x, to[1] = all.y, to[2] = all.z, to[3] = all.w;
  } else {
    to[0] = from[0];
  }
}

// sums[r][n] += the products of group `group` of row r of the weight with that of row n of x, which
// begin at `x` and lie x_row apart. Scales and minima go to sums of four rather than to each
// element.
template <typename Decoder, int kRows>
__device__ void add_group(const Decoder* parts, int group, const float* x, const Index* x_row,
                          float (*sums)[kRows]) {
  float values[kRows][Decoder::kWidth];
  float totals[kRows];
#pragma unroll
  for (int n = 0; n < kRows; ++n) {
    read_floats<Decoder::kWidth>(x + x_row[n], values[n]);
    totals[n] = 0.0f;
#pragma unroll
    for (int j = 0; j < Decoder::kWidth; ++j) {
      totals[n] += values[n][j];
    }
  }
#pragma unroll
  for (int r = 0; r < kDotRows; ++r) {
    float levels[Decoder::kWidth];
    parts[r].levels(group, levels);
#pragma unroll
    for (int n = 0; n < kRows; ++n) {
      float products = 0.0f;
#pragma unroll
      for (int j = 0; j < Decoder::kWidth; ++j) {
        products += values[n][j] * levels[j];
      }
      sums[r][n] += parts[r].scale(group) * products;
      if constexpr (Decoder::kMin) {
        sums[r][n] += parts[r].min(group) * totals[n];
      }
    }
  }
}

// y[n][kDotRows block + r] = the block's sum of sums[r][n] + beta y. `room`: kDotRows kRows floats
// per warp.
template <int kRows>
__device__ void write_dots(float (*sums)[kRows], float* room, int rows, Index out, float beta,
                           float* y) {
  constexpr int kSums = kDotRows * kRows;
  const int thread = static_cast<int>(threadIdx.x);
  const int warps = static_cast<int>(blockDim.x) / 32;
  for (int i = 0; i < kSums; ++i) {
    const float sum = reduce_warp(sums[i / kRows][i % kRows], Sum());
    if (thread % 32 == 0) {
      room[thread / 32 * kSums + i] = sum;
    }
  }
  __syncthreads();
  const Index row = static_cast<Index>(blockIdx.x) * kDotRows + thread / kRows;
  const int n = thread % kRows;
  if (thread < kSums && row < out && n < rows) {
    float sum = 0.0f;
    for (int warp = 0; warp < warps; ++warp) {
      sum += room[warp * kSums + thread];
    }
    float& to = y[n * out + row];
    to = beta == 0.0f ? sum : sum + beta * to;
  }
}

// y = x W^T + beta y for up to kRows rows of x: [rows, width], W: [out, width], y: [rows, out].
// Rows that are not there are the last one again, and not written.
template <typename Decoder, int kRows>
static __global__ void __launch_bounds__(kDotThreads)
    packed_dots_kernel(MatrixView w, const float* x, float* y, int rows, float beta) {
  const Index out = w.rows, width = w.width;
  Index x_row[kRows];
#pragma unroll
  for (int n = 0; n < kRows; ++n) {
    x_row[n] = (n < rows ? n : rows - 1) * width;
  }
  float sums[kDotRows][kRows] = {};
  const Index parts = width / Decoder::kBlockElements * Decoder::kLanes;
  for (Index part = threadIdx.x; part < parts; part += blockDim.x) {
    const Index block = part / Decoder::kLanes;
    const int lane = static_cast<int>(part % Decoder::kLanes);
    Decoder decoders[kDotRows];
#pragma unroll
    for (int r = 0; r < kDotRows; ++r) {
      const Index row = static_cast<Index>(blockIdx.x) * kDotRows + r;
      load_part(w, row < out ? row : out - 1, block, lane, decoders[r]);
    }
#pragma unroll
    for (int group = 0; group < Decoder::kGroups; ++group) {
      const Index at = block * Decoder::kBlockElements + Decoder::element(lane, group);
      add_group<Decoder, kRows>(decoders, group, x + at, x_row, sums);
    }
  }
  write_dots<kRows>(sums, shared_memory<float>(), rows, out, beta, y);
}

}  // namespace lathe::LATHE_GPU
