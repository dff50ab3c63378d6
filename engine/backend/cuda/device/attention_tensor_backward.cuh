// Attention backward on tensor cores, as attention_backward.cuh and attention_backward_dq.cuh do it
// on single-precision ones. Weights are made where the products left the scores, in registers.
#pragma once

#include "engine/backend/cuda/device/attention_gradients.cuh"
#include "engine/backend/cuda/device/tensor_tile.cuh"

namespace lathe::LATHE_GPU {

template <typename Format, int kDim, int kOthers>
struct TensorBackward {
  using Stored = typename Format::Stored;
  using Scores = Sums<Format>[1][kOthers / kEdge];
  using Result = Sums<Format>[1][kDim / kEdge];
  static constexpr int kTile = kWarps * kEdge;
  static constexpr int kMore = kTile > kOthers ? kTile : kOthers;
  static constexpr int kPitch = kDim + Format::kGap;
  static constexpr int kWeightPitch = kOthers + Format::kGap;
  static constexpr std::size_t kBytes =
      (2 * (kTile + kOthers) * kPitch + kTile * kWeightPitch) * sizeof(Stored) + 12 * kMore;
  static_assert(2 * kOthers * kPitch * sizeof(Stored) >= 4 * kWarps * kStageFloats);

  Stored *own[2], *passing[2], *weights;
  QueryFacts facts;
  float* stage;  // in place of passing vectors
  int row;       // this warp's first in the tile

  __device__ explicit TensorBackward(unsigned char* shared) {
    own[0] = reinterpret_cast<Stored*>(shared);
    own[1] = own[0] + kTile * kPitch;
    passing[0] = own[1] + kTile * kPitch;
    passing[1] = passing[0] + kOthers * kPitch;
    stage = reinterpret_cast<float*>(passing[0]) + warp_of_block() * kStageFloats;
    row = warp_of_block() * kEdge;
    Stored* const all_weights = passing[1] + kOthers * kPitch;
    weights = all_weights + row * kWeightPitch;
    facts.lse = reinterpret_cast<float*>(all_weights + kTile * kWeightPitch);
    facts.delta = facts.lse + kMore;
    facts.first = reinterpret_cast<int*>(facts.delta + kMore);
  }

  // Products of own vectors with passing ones, of the first tensors or the second.
  __device__ void multiply(int n, Scores& scores) const {
    multiply_rows<Format, kDim>(own[n] + row * kPitch, passing[n], scores);
  }
  // sums += the scores as weights of passing vectors.
  __device__ void add(const Scores& scores, int n, const Places<Format>& places,
                      Result& sums) const {
    __syncwarp();
#pragma unroll
    for (int j = 0; j < kOthers / kEdge; ++j) {
#pragma unroll
      for (int i = 0; i < Sums<Format>::num_elements; ++i) {
        weights[places.row(i) * kWeightPitch + j * kEdge + places.column(i)] =
            Format::rounded(scores[0][j].x[i]);
      }
    }
    __syncwarp();
    add_weighted<Format, kDim, kOthers>(weights, kWeightPitch, passing[n], sums);
  }

  // Own keys from `key` on, passing queries from `t` on.
  __device__ void add_queries(const AttentionShape& shape, int key, Index t,
                              const Places<Format>& places, Result& dk, Result& dv) const {
    Scores scores;
    multiply(0, scores);
#pragma unroll
    for (int j = 0; j < kOthers / kEdge; ++j) {
#pragma unroll
      for (int i = 0; i < Sums<Format>::num_elements; ++i) {
        const int query = j * kEdge + places.column(i);
        const int at = key + row + places.row(i);
        const bool seen = at >= facts.first[query] && at <= shape.last_key(t + query);
        float& score = scores[0][j].x[i];
        score = seen ? expf(score * shape.scale - facts.lse[query]) : 0.0f;
      }
    }
    add(scores, 1, places, dv);
    Scores dweights;
    multiply(1, dweights);
#pragma unroll
    for (int j = 0; j < kOthers / kEdge; ++j) {
#pragma unroll
      for (int i = 0; i < Sums<Format>::num_elements; ++i) {
        const float delta = facts.delta[j * kEdge + places.column(i)];
        scores[0][j].x[i] *= (dweights[0][j].x[i] - delta) * shape.scale;
      }
    }
    add(scores, 0, places, dk);
  }

  // Own queries from `t` on, passing keys from `key` on.
  __device__ void add_keys(const AttentionShape& shape, int key, Index t,
                           const Places<Format>& places, Result& dq) const {
    Scores scores;
    Scores dweights;
    multiply(0, scores);
    multiply(1, dweights);
#pragma unroll
    for (int i = 0; i < Sums<Format>::num_elements; ++i) {
      const int query = row + places.row(i);
      const int first = facts.first[query];
      const int last = shape.last_key(t + query);
      const float lse = facts.lse[query];
      const float delta = facts.delta[query];
#pragma unroll
      for (int j = 0; j < kOthers / kEdge; ++j) {
        const int at = key + j * kEdge + places.column(i);
        float& score = scores[0][j].x[i];
        score = at >= first && at <= last ? expf(score * shape.scale - lse) *
                                                ((dweights[0][j].x[i] - delta) * shape.scale)
                                          : 0.0f;
      }
    }
    add(scores, 0, places, dq);
  }
};

template <typename Format, int kDim, int kOthers>
static __global__ void __launch_bounds__(kAttentionThreads)
    attention_tensor_dkv_kernel(AttentionShape shape, AttentionGradients given) {
  using Tile = TensorBackward<Format, kDim, kOthers>;
  const Tile tile(shared_memory<unsigned char>());
  const Places<Format> places(tile.stage);
  __syncthreads();
  const KeyBlock block(shape, Tile::kTile);
  const HeadRows keys = key_rows(shape, given.k, block.b, block.kv_head);
  load_rounded<Format, kDim, Tile::kTile>(tile.own[0], keys, block.key);
  load_rounded<Format, kDim, Tile::kTile>(
      tile.own[1], key_rows(shape, given.v, block.b, block.kv_head), block.key);
  typename Tile::Result dk;
  typename Tile::Result dv;
  set_zero<Format>(dk);
  set_zero<Format>(dv);
  for (Index t = block.first_query(shape); t < shape.queries; t += kOthers) {
    const int heads =
        tile.facts.template load_first<kOthers>(shape, block.b, t) < block.key + Tile::kTile
            ? shape.group()
            : 0;
    for (int n = 0; n < heads; ++n) {
      const int head = block.kv_head * shape.group() + n;
      load_rounded<Format, kDim, kOthers>(tile.passing[0],
                                          query_rows(shape, given.q, block.b, head), t);
      load_rounded<Format, kDim, kOthers>(tile.passing[1],
                                          query_rows(shape, given.dout, block.b, head), t);
      tile.facts.template load_scores<kOthers>(shape, given, block.b, head, t);
      __syncthreads();
      tile.add_queries(shape, block.key, t, places, dk, dv);
      __syncthreads();
    }
    __syncthreads();
  }
  const Index start = keys.data - given.k;
  store_rows<Format>(given.dk + start, keys, block.key + tile.row, dk[0], tile.stage);
  store_rows<Format>(given.dv + start, keys, block.key + tile.row, dv[0], tile.stage);
}

template <typename Format, int kDim, int kOthers>
static __global__ void __launch_bounds__(kAttentionThreads)
    attention_tensor_dq_kernel(AttentionShape shape, AttentionGradients given) {
  using Tile = TensorBackward<Format, kDim, kOthers>;
  const Tile tile(shared_memory<unsigned char>());
  const Places<Format> places(tile.stage);
  __syncthreads();
  const QueryBlock block(shape, Tile::kTile);
  const HeadRows queries = query_rows(shape, given.q, block.b, block.head);
  const HeadRows keys = key_rows(shape, given.k, block.b, block.head / shape.group());
  const HeadRows values = key_rows(shape, given.v, block.b, block.head / shape.group());
  load_rounded<Format, kDim, Tile::kTile>(tile.own[0], queries, block.t);
  load_rounded<Format, kDim, Tile::kTile>(
      tile.own[1], query_rows(shape, given.dout, block.b, block.head), block.t);
  tile.facts.template load_scores<Tile::kTile>(shape, given, block.b, block.head, block.t);
  const int first = tile.facts.template load_first<Tile::kTile>(shape, block.b, block.t);
  const int last = block.last_key(shape, Tile::kTile);
  typename Tile::Result dq;
  set_zero<Format>(dq);
  for (int key = first / kOthers * kOthers; key <= last; key += kOthers) {
    load_rounded<Format, kDim, kOthers>(tile.passing[0], keys, key);
    load_rounded<Format, kDim, kOthers>(tile.passing[1], values, key);
    __syncthreads();
    tile.add_keys(shape, key, block.t, places, dq);
    __syncthreads();
  }
  store_rows<Format>(given.dq + (queries.data - given.q), queries, block.t + tile.row, dq[0],
                     tile.stage);
}

}  // namespace lathe::LATHE_GPU
