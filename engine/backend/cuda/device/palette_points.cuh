// Differentiable k-means over points. What is one number a point is made by a thread for each;
// sums over points by a thread for each centroid and a slice of the points that a block has staged
// in shared memory, where it makes the attention again rather than keep it. A block has one of
// kPointShares parts of the points, and the parts are added in their order.
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

// A staged point. g: of codes one number.
struct Staged {
  float x[kMostDim], g[kMostDim];
  Normal normal;
  float count;
  float centroid_mean, output_mean;  // of the logits' gradients
};

__device__ inline void stage_point(const Drawn& drawn, Index i, Staged& to) {
  to.count = drawn.count(i);
  if (to.count != 0.0f) {
    drawn.load(i, to.x);
    to.normal = normal_of(drawn, to.x);
  }
}

// Shared memory: room for the sums of all seats, then the staged points.
__device__ inline Staged* staged_behind(double* room) {
  return reinterpret_cast<Staged*>(room + kStaged * (kMostDim + 1));
}

// partial: [shares][clusters][dim + 1], a x and a.
static __global__ void palette_iterate_kernel(Drawn drawn, double* partial) {
  double* const room = shared_memory<double>();
  Staged* const staged = staged_behind(room);
  const Seat seat(drawn.clusters);
  double sums[kMostDim + 1] = {};
  for_staged(
      drawn.points, [&](int thread, Index i) { stage_point(drawn, i, staged[thread]); },
      [&](int count) {
        for (int s = seat.slice; s < count && seat.taken(); s += seat.slices) {
          const Staged& at = staged[s];
          if (at.count == 0.0f) {
            continue;
          }
          const float p = drawn_to(drawn, at.x, at.normal, seat.centroid);
          const auto a = static_cast<double>(at.count * not_below(p, drawn.floor));
          for (int e = 0; e < drawn.dim; ++e) {
            sums[e] += a * static_cast<double>(at.x[e]);
          }
          sums[drawn.dim] += a;
        }
      });
  write_partial(seat, sums, drawn.dim + 1, drawn.clusters, room, partial);
}

// A thread for each centroid.
static __global__ void palette_iterate_end_kernel(Drawn drawn, const double* partial, int shares,
                                                  float* next, float* mass) {
  const int j = static_cast<int>(first_item());
  if (j >= drawn.clusters) {
    return;
  }
  const int numbers = drawn.dim + 1;
  const int width = drawn.clusters * numbers;
  const double of = add_partials(partial, shares, width, j * numbers + drawn.dim);
  mass[j] = static_cast<float>(of);
  for (int e = 0; e < drawn.dim; ++e) {
    next[j * drawn.dim + e] =
        of == 0.0 ? drawn.c[j * drawn.dim + e]
                  : static_cast<float>(add_partials(partial, shares, width, j * numbers + e) / of);
  }
}

static __global__ void palette_apply_kernel(Drawn drawn, const float* values, float* out) {
  const Index i = first_item();
  if (i >= drawn.points || drawn.count(i) == 0.0f) {
    return;
  }
  float x[kMostDim];
  drawn.load(i, x);
  const Normal normal = normal_of(drawn, x);
  float sums[kMostDim] = {};
  for (int j = 0; j < drawn.clusters; ++j) {
    const float a = not_below(drawn_to(drawn, x, normal, j), drawn.floor);
    for (int e = 0; e < drawn.dim; ++e) {
      sums[e] += a * values[j * drawn.dim + e];
    }
  }
  for (int e = 0; e < drawn.dim; ++e) {
    out[i * drawn.dim + e] = sums[e];
  }
}

static __global__ void palette_nearest_kernel(Drawn drawn, const float* values, float* out) {
  const Index i = first_item();
  if (i >= drawn.points || drawn.count(i) == 0.0f) {
    return;
  }
  float x[kMostDim];
  drawn.load(i, x);
  float least = __int_as_float(0x7f800000);
  int found = 0;
  for (int j = 0; j < drawn.clusters; ++j) {
    const float square = drawn.square(x, j);
    found = square < least ? j : found;
    least = square < least ? square : least;
  }
  for (int e = 0; e < drawn.dim; ++e) {
    out[i * drawn.dim + e] = __half2float(__float2half(values[found * drawn.dim + e]));
  }
}

// partial: [shares][clusters][dim], a g.
static __global__ void palette_pull_kernel(Drawn drawn, const float* g, double* partial) {
  double* const room = shared_memory<double>();
  Staged* const staged = staged_behind(room);
  const Seat seat(drawn.clusters);
  double sums[kMostDim + 1] = {};
  for_staged(
      drawn.points,
      [&](int thread, Index i) {
        stage_point(drawn, i, staged[thread]);
        for (int e = 0; e < drawn.dim; ++e) {
          staged[thread].g[e] = g[i * drawn.dim + e];
        }
      },
      [&](int count) {
        for (int s = seat.slice; s < count && seat.taken(); s += seat.slices) {
          const Staged& at = staged[s];
          if (at.count == 0.0f) {
            continue;
          }
          const float a = not_below(drawn_to(drawn, at.x, at.normal, seat.centroid), drawn.floor);
          for (int e = 0; e < drawn.dim; ++e) {
            sums[e] += static_cast<double>(a) * static_cast<double>(at.g[e]);
          }
        }
      });
  write_partial(seat, sums, drawn.dim, drawn.clusters, room, partial);
}

// out[i] = the partial sums and, of a centroid without mass, what `stayed` has; mass may be null.
static __global__ void palette_totals_kernel(const double* partial, int shares, int width, int dim,
                                             const float* mass, const float* stayed, float* out) {
  const int i = static_cast<int>(first_item());
  if (i < width) {
    const bool stays = mass != nullptr && mass[i / dim] == 0.0f;
    out[i] = static_cast<float>(add_partials(partial, shares, width, i) +
                                (stays ? static_cast<double>(stayed[i]) : 0.0));
  }
}

// PaletteBackwardArgs.
struct Slopes {
  const float *next, *mass, *dnext;
  float* g;
  float *alpha, *beta;  // of codes
  bool apply;

  // By how much a centroid's mean moves with a point that it draws wholly.
  __device__ float share(int j, int at) const {
    return mass[j] == 0.0f ? 0.0f : dnext[at] / mass[j];
  }
};

// What the gradient of a centroid's attention is, of next and of the output.
struct Pulls {
  float by_centroids, by_output;
};

__device__ inline Pulls pulls_of(const Drawn& drawn, const Slopes& slopes, const float* x,
                                 const float* g, int j) {
  Pulls out{0.0f, 0.0f};
  for (int e = 0; e < drawn.dim; ++e) {
    const int at = j * drawn.dim + e;
    out.by_centroids += slopes.share(j, at) * (x[e] - slopes.next[at]);
    if (slopes.apply) {
      out.by_output += (drawn.x == nullptr ? 1.0f : g[e]) * slopes.next[at];
    }
  }
  return out;
}

// By the gradient of the attention that of the logits.
__device__ inline Pulls to_logits(const Drawn& drawn, const Staged& at, Pulls pulls, float p) {
  const bool moves = p > drawn.floor;
  return {p * ((moves ? pulls.by_centroids : 0.0f) - at.centroid_mean),
          p * ((moves ? pulls.by_output : 0.0f) - at.output_mean)};
}

__device__ inline void stage_means(const Drawn& drawn, const Slopes& slopes, Staged& at) {
  at.centroid_mean = 0.0f;
  at.output_mean = 0.0f;
  for (int j = 0; j < drawn.clusters; ++j) {
    const float p = drawn_to(drawn, at.x, at.normal, j);
    if (p > drawn.floor) {
      const Pulls pulls = pulls_of(drawn, slopes, at.x, at.g, j);
      at.centroid_mean += p * pulls.by_centroids;
      at.output_mean += p * pulls.by_output;
    }
  }
}

// The point's own gradient.
__device__ inline void move_point(const Drawn& drawn, const Slopes& slopes, const Staged& at,
                                  Index i) {
  const bool listed = drawn.x != nullptr;
  float dx[kMostDim] = {};
  float alpha = 0.0f;
  for (int j = 0; j < drawn.clusters; ++j) {
    const float p = drawn_to(drawn, at.x, at.normal, j);
    const float a = not_below(p, drawn.floor);
    const Pulls logits = to_logits(drawn, at, pulls_of(drawn, slopes, at.x, at.g, j), p);
    for (int e = 0; e < drawn.dim; ++e) {
      const int place = j * drawn.dim + e;
      const float off = 2.0f / drawn.tau[0] * (at.x[e] - drawn.c[place]);
      dx[e] += a * slopes.share(j, place) -
               off * (logits.by_centroids + (listed ? logits.by_output : 0.0f));
      alpha -= off * logits.by_output;
    }
  }
  float* const to = listed ? slopes.g : slopes.beta;
  for (int e = 0; e < drawn.dim; ++e) {
    to[i * drawn.dim + e] = dx[e] + (slopes.apply ? 0.0f : to[i * drawn.dim + e]);
  }
  if (slopes.apply && !listed) {
    slopes.alpha[i] = alpha;
  }
}

// partial: [shares][clusters][dim], the gradient of the centroids.
static __global__ void palette_backward_kernel(Drawn drawn, Slopes slopes, double* partial) {
  double* const room = shared_memory<double>();
  Staged* const staged = staged_behind(room);
  const Seat seat(drawn.clusters);
  const bool listed = drawn.x != nullptr;
  double sums[kMostDim + 1] = {};
  for_staged(
      drawn.points,
      [&](int thread, Index i) {
        Staged& at = staged[thread];
        stage_point(drawn, i, at);
        if (at.count == 0.0f) {
          return;
        }
        for (int e = 0; e < drawn.dim; ++e) {
          at.g[e] = slopes.apply ? slopes.g[i * drawn.dim + e] : 0.0f;
        }
        stage_means(drawn, slopes, at);
        move_point(drawn, slopes, at, i);
      },
      [&](int count) {
        for (int s = seat.slice; s < count && seat.taken(); s += seat.slices) {
          const Staged& at = staged[s];
          if (at.count == 0.0f) {
            continue;
          }
          const float p = drawn_to(drawn, at.x, at.normal, seat.centroid);
          const Pulls logits =
              to_logits(drawn, at, pulls_of(drawn, slopes, at.x, at.g, seat.centroid), p);
          const float slope =
              at.count * logits.by_centroids + (listed ? 1.0f : at.g[0]) * logits.by_output;
          for (int e = 0; e < drawn.dim; ++e) {
            const float off = at.x[e] - drawn.c[seat.centroid * drawn.dim + e];
            sums[e] += static_cast<double>(2.0f / drawn.tau[0] * off) * static_cast<double>(slope);
          }
        }
      });
  write_partial(seat, sums, drawn.dim, drawn.clusters, room, partial);
}

}  // namespace lathe::LATHE_GPU
