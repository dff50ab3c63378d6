// Rotary position embedding: a thread has one pair of channels of a row, works its angle out once
// in double, where a position of a million still has its turn's fraction, and turns the pair in
// each of its heads. 8 bytes an element.
#pragma once

#include "engine/backend/cuda/device/pack.cuh"

namespace lathe::LATHE_GPU {

// Pairs of a head that one launch turns; their frequencies travel as an argument.
constexpr int kRopePairs = 128;
// In half turns a position.
struct RopeFrequencies {
  double of[kRopePairs];
};

struct RopeShape {
  Index rows, length, heads, head_dim;
  Index first_position;
  Index first_pair, pairs;  // those of this launch
};

// How a pair lies in its head: kHalves, or neighbours, in one load where kTogether.
enum class RopeLayout : unsigned char { kHalves, kNeighbours, kTogether };

template <RopeLayout kLayout>
__device__ inline Pack<2> load_pair(const float* head, Index pair, Index head_dim) {
  if constexpr (kLayout == RopeLayout::kTogether) {
    return load_pack<2>(head + 2 * pair);
  } else if constexpr (kLayout == RopeLayout::kNeighbours) {
    return {{head[2 * pair], head[2 * pair + 1]}};
  } else {
    return {{head[pair], head[pair + head_dim / 2]}};
  }
}

template <RopeLayout kLayout>
__device__ inline void store_pair(float* head, Index pair, Index head_dim, const Pack<2>& x) {
  if constexpr (kLayout == RopeLayout::kTogether) {
    store_pack(head + 2 * pair, x);
  } else {
    constexpr bool kHalves = kLayout == RopeLayout::kHalves;
    float* const low = head + (kHalves ? pair : 2 * pair);
    low[0] = x.at[0];
    low[kHalves ? head_dim / 2 : 1] = x.at[1];
  }
}

// Turns the pair in the heads of this block, several at a time, as loads that wait for the stores
// before them would leave the memory idle.
template <RopeLayout kLayout>
__device__ inline void turn_heads(float* row, const RopeShape& shape, Index pair, float cosine,
                                  float sine) {
  constexpr int kAhead = 4;
  const Index step = gridDim.y;
  for (Index first = blockIdx.y; first < shape.heads; first += kAhead * step) {
    Pack<2> x[kAhead] = {};
    for (int ahead = 0; ahead < kAhead; ++ahead) {
      const Index head = first + ahead * step;
      if (head < shape.heads) {
        x[ahead] = load_pair<kLayout>(row + head * shape.head_dim, pair, shape.head_dim);
      }
    }
    for (int ahead = 0; ahead < kAhead; ++ahead) {
      const Index head = first + ahead * step;
      if (head < shape.heads) {
        const Pack<2> turned{{x[ahead].at[0] * cosine - x[ahead].at[1] * sine,
                              x[ahead].at[1] * cosine + x[ahead].at[0] * sine}};
        store_pair<kLayout>(row + head * shape.head_dim, pair, shape.head_dim, turned);
      }
    }
  }
}

// blockIdx.y of gridDim.y takes its share of the heads. positions may be null.
template <RopeLayout kLayout>
static __global__ void rope_kernel(float* x, const int* positions, RopeShape shape, float direction,
                                   const RopeFrequencies frequencies) {
  const Index item = first_item();
  if (item >= shape.rows * shape.pairs) {
    return;
  }
  const Index row = item / shape.pairs;
  const int pair = static_cast<int>(item % shape.pairs);
  const Index position =
      positions != nullptr ? positions[row] : shape.first_position + row % shape.length;
  double sine = 0.0;
  double cosine = 1.0;
  sincospi(static_cast<double>(position) * frequencies.of[pair], &sine, &cosine);
  turn_heads<kLayout>(x + row * shape.heads * shape.head_dim, shape, shape.first_pair + pair,
                      static_cast<float>(cosine), direction * static_cast<float>(sine));
}

}  // namespace lathe::LATHE_GPU
