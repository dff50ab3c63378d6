// Differentiable k-means over points (palette_drawn.cuh). What is one number a point is made by a
// thread for each.
#pragma once

#include "engine/backend/cuda/device/palette_totals.cuh"

namespace lathe::LATHE_GPU {

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
  float x[kMostDim] = {};
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
  float x[kMostDim] = {};
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

}  // namespace lathe::LATHE_GPU
