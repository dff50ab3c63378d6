// The gradient of an iteration of differentiable k-means, and of what is made with it.
#pragma once

#include "engine/backend/cuda/device/palette_points.cuh"

namespace lathe::LATHE_GPU {

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
