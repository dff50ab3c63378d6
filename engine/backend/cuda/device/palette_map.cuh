// The maps of soft k-means: a thread a weight. Sums over weights as in palette_drawn.cuh.
#pragma once

#include "engine/backend/cuda/device/palette_codes.cuh"
#include "engine/backend/cuda/device/palette_totals.cuh"

namespace lathe::LATHE_GPU {

__device__ inline float code_number(bool half, unsigned short bits) {
  return half ? __half2float(__ushort_as_half(bits))
              : __uint_as_float(static_cast<unsigned>(bits) << 16);
}

// A map that is written; `floats` or `bits`, or neither.
struct WrittenMap {
  float* floats;
  Bf16Bits* bits;

  __device__ void put(Index at, float value) const {
    if (floats != nullptr) {
      floats[at] = value;
    } else if (bits != nullptr) {
      bits[at] = static_cast<Bf16Bits>(nearest_bf16(value));
    }
  }
};

// A map as PaletteMap (engine/ops/palette_map_args.h).
struct ReadMap {
  const float* floats;
  const Bf16Bits* bits;
  const unsigned short* index;  // or null
  const int* ranks;
  int clusters;

  __device__ float at(Index weight, int j) const {
    const Index row = index != nullptr ? ranks[index[weight]] : weight;
    const Index place = row * clusters + j;
    return floats != nullptr ? floats[place]
                             : __uint_as_float(static_cast<unsigned>(bits[place]) << 16);
  }
};

static __global__ void palette_codes_kernel(Coded weights, unsigned short* out) {
  for (Index i = first_item(); i < weights.elements; i += item_stride()) {
    out[i] = static_cast<unsigned short>(weights.code(i));
  }
}

static __global__ void palette_map_kernel(Coded weights, Drawn drawn, WrittenMap distances,
                                          WrittenMap attention, bool floored) {
  for (Index i = first_item(); i < weights.elements; i += item_stride()) {
    const float number = code_number(weights.half, static_cast<unsigned short>(weights.code(i)));
    const float x[kMostDim] = {number};
    const Normal normal = normal_of(drawn, x);
    for (int j = 0; j < drawn.clusters; ++j) {
      const float p = drawn_to(drawn, x, normal, j);
      distances.put(i * drawn.clusters + j, fabsf(number - drawn.c[j]));
      attention.put(i * drawn.clusters + j, floored ? not_below(p, drawn.floor) : p);
    }
  }
}

// PaletteMapBackwardArgs.
struct MapSlopes {
  ReadMap distance, square, softmax, floor, update, output;
  const unsigned short *x_distance, *x_update;
  const float *c, *tau, *next, *mass;
  float *dnext, *g;
  Index weights;
  int clusters;
  float least;  // attention
  bool half;    // codes are f16
  bool apply;

  __device__ float share(int j) const { return mass[j] == 0.0f ? 0.0f : dnext[j] / mass[j]; }
  // The gradient of a weight's attention to a centroid, behind the floor.
  __device__ float pull(Index i, int j, float upstream) const {
    if (!(floor.at(i, j) > least)) {
      return 0.0f;
    }
    const float off = code_number(half, x_update[i]) - next[j];
    return share(j) * off + (apply ? upstream * next[j] : 0.0f);
  }
  // What the distance to a centroid adds to the weight's gradient, and takes from the centroid's.
  __device__ float slope(Index i, int j, float upstream, float mean) const {
    const float size = distance.at(i, j);
    if (size == 0.0f) {
      return 0.0f;
    }
    const float dlogit = softmax.at(i, j) * (pull(i, j, upstream) - mean);
    const float dsize = -2.0f / tau[0] * dlogit * square.at(i, j);
    return dsize * (code_number(half, x_distance[i]) - c[j]) / size;
  }
};

// A staged weight: its upstream gradient, and the mean of its logits' gradients.
struct StagedWeight {
  Index index;
  float upstream, mean;
};

__device__ inline StagedWeight* staged_weights(double* room) {
  return reinterpret_cast<StagedWeight*>(room + kStaged);
}

// partial: [shares][clusters], the output's attention times g.
static __global__ void palette_map_pull_kernel(MapSlopes slopes, double* partial) {
  double* const room = shared_memory<double>();
  StagedWeight* const staged = staged_weights(room);
  const Seat seat(slopes.clusters);
  double sum = 0.0;
  for_staged(
      slopes.weights,
      [&](int thread, Index i) {
        staged[thread] = {i, slopes.g[i], 0.0f};
      },
      [&](int count) {
        for (int s = seat.slice; s < count && seat.taken(); s += seat.slices) {
          const float a = not_below(slopes.output.at(staged[s].index, seat.centroid), slopes.least);
          sum += static_cast<double>(a) * static_cast<double>(staged[s].upstream);
        }
      });
  write_partial(seat, &sum, 1, slopes.clusters, room, partial);
}

// partial: [shares][clusters], the gradient of the centroids.
static __global__ void palette_map_backward_kernel(MapSlopes slopes, double* partial) {
  double* const room = shared_memory<double>();
  StagedWeight* const staged = staged_weights(room);
  const Seat seat(slopes.clusters);
  double sum = 0.0;
  for_staged(
      slopes.weights,
      [&](int thread, Index i) {
        const float upstream = slopes.g[i];
        float mean = 0.0f;
        for (int j = 0; j < slopes.clusters; ++j) {
          mean += slopes.softmax.at(i, j) * slopes.pull(i, j, upstream);
        }
        float dx = slopes.apply ? 0.0f : upstream;
        for (int j = 0; j < slopes.clusters; ++j) {
          dx += not_below(slopes.update.at(i, j), slopes.least) * slopes.share(j) +
                slopes.slope(i, j, upstream, mean);
        }
        staged[thread] = {i, upstream, mean};
        slopes.g[i] = dx;
      },
      [&](int count) {
        for (int s = seat.slice; s < count && seat.taken(); s += seat.slices) {
          const StagedWeight& at = staged[s];
          sum -= static_cast<double>(slopes.slope(at.index, seat.centroid, at.upstream, at.mean));
        }
      });
  write_partial(seat, &sum, 1, slopes.clusters, room, partial);
}

}  // namespace lathe::LATHE_GPU
