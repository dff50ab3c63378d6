// Points drawn softly to centroids, and how sums over them are made: by a thread for each centroid
// and a slice of the points that a block has staged in shared memory, where it makes the attention
// again rather than keep it. A block has one of kPointShares parts of the points, and the parts are
// added in their order.
#pragma once

#include "engine/backend/cuda/device/grid.cuh"

namespace lathe::LATHE_GPU {

constexpr int kStaged = 256;  // points, and threads of a block
constexpr int kMostDim = 4;

// PalettePoints and PaletteCentroids (engine/ops/palette_args.h).
struct Drawn {
  const float* x;       // null: codes
  const float* counts;  // or null
  const float *c, *tau;
  Index points;
  int clusters, dim;
  float floor;
  bool half;  // codes are f16

  __device__ float count(Index i) const { return counts == nullptr ? 1.0f : counts[i]; }
  __device__ void load(Index i, float* to) const {
    if (x == nullptr) {
      const auto bits = static_cast<unsigned short>(i);
      to[0] = half ? __half2float(__ushort_as_half(bits))
                   : __uint_as_float(static_cast<unsigned>(bits) << 16);
      return;
    }
    for (int e = 0; e < dim; ++e) {
      to[e] = x[i * dim + e];
    }
  }
  __device__ float square(const float* at, int j) const {
    float sum = 0.0f;
    for (int e = 0; e < dim; ++e) {
      const float off = at[e] - c[j * dim + e];
      sum += off * off;
    }
    return sum;
  }
};

// What the softmax of a point needs beside its distances.
struct Normal {
  float nearest, share;
};

__device__ inline float drawn_to(const Drawn& drawn, const float* at, Normal normal, int j) {
  return expf((normal.nearest - drawn.square(at, j)) / drawn.tau[0]) * normal.share;
}
// A NaN stays one.
__device__ inline float not_below(float p, float floor) {
  return p < floor ? floor : p;
}

__device__ inline Normal normal_of(const Drawn& drawn, const float* at) {
  float nearest = __int_as_float(0x7f800000);
  for (int j = 0; j < drawn.clusters; ++j) {
    const float square = drawn.square(at, j);
    nearest = square < nearest ? square : nearest;
  }
  float total = 0.0f;
  for (int j = 0; j < drawn.clusters; ++j) {
    total += drawn_to(drawn, at, {nearest, 1.0f}, j);
  }
  return {nearest, 1.0f / total};
}

// The points of a block's part, kStaged at a time: stage(thread, point), then sum(staged, how
// many), each between barriers.
template <typename Stage, typename Add>
__device__ void for_staged(Index points, const Stage& stage, const Add& add) {
  const Index shares = gridDim.x;
  const Index first = static_cast<Index>(blockIdx.x) * points / shares;
  const Index end = (static_cast<Index>(blockIdx.x) + 1) * points / shares;
  for (Index at = first; at < end; at += kStaged) {
    const int count = static_cast<int>(end - at < kStaged ? end - at : kStaged);
    const int thread = static_cast<int>(threadIdx.x);
    if (thread < count) {
      stage(thread, at + thread);
    }
    __syncthreads();
    add(count);
    __syncthreads();
  }
}

// Which centroid a thread sums for, and which of the staged points: every slices-th from `slice`.
struct Seat {
  int centroid, slice, slices;

  __device__ explicit Seat(int clusters)
      : centroid(static_cast<int>(threadIdx.x) % clusters),
        slice(static_cast<int>(threadIdx.x) / clusters),
        slices(kStaged / clusters) {}
  __device__ bool taken() const { return slice < slices; }
};

// partial[share][centroid][number] = the seats' sums.
__device__ inline void write_partial(const Seat& seat, const double* sums, int numbers,
                                     int clusters, double* room, double* partial) {
  if (seat.taken()) {
    for (int n = 0; n < numbers; ++n) {
      room[(seat.slice * clusters + seat.centroid) * numbers + n] = sums[n];
    }
  }
  __syncthreads();
  const int width = clusters * numbers;
  for (int i = static_cast<int>(threadIdx.x); i < width; i += kStaged) {
    double sum = 0.0;
    for (int slice = 0; slice < seat.slices; ++slice) {
      sum += room[slice * width + i];
    }
    partial[static_cast<Index>(blockIdx.x) * width + i] = sum;
  }
}

__device__ inline double add_partials(const double* partial, int shares, int width, int i) {
  double sum = 0.0;
  for (int share = 0; share < shares; ++share) {
    sum += partial[static_cast<Index>(share) * width + i];
  }
  return sum;
}

}  // namespace lathe::LATHE_GPU
