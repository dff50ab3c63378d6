// Attention backward in tiles (Dao et al. 2022, algorithm 4), without atomics: a block owns a tile
// of keys for dk and dv, and another kernel's block a tile of queries for dq, which computes the
// weights once more (7 products of tiles in place of 5).
#pragma once

#include "engine/backend/cuda/device/attention_gradients.cuh"
#include "engine/backend/cuda/device/attention_tile.cuh"

namespace lathe::LATHE_GPU {

// A warp a row of [rows, width].
static __global__ void attention_delta_kernel(const float* dout, const float* out, float* dq,
                                              Index rows, int width) {
  const Index row = first_item() / 32;
  if (row >= rows) {
    return;
  }
  double sum = 0.0;
  for (int i = static_cast<int>(threadIdx.x) % 32; i < width; i += 32) {
    sum += static_cast<double>(dout[row * width + i]) * static_cast<double>(out[row * width + i]);
  }
  sum = reduce_warp(sum, Sum());
  if (threadIdx.x % 32 == 0) {
    dq[row * width] = static_cast<float>(sum);
  }
}

// Shared memory in bytes: own vectors of two tensors, passing ones of two, the weights, the facts.
template <int kDim, int kRows, int kColumns>
constexpr std::size_t backward_bytes() {
  constexpr int kTile = kRows * kThreadRows;
  constexpr int kOthers = kColumns * kThreadColumns;
  constexpr int kMore = kTile > kOthers ? kTile : kOthers;
  return 4 * static_cast<std::size_t>(2 * (kTile + kOthers) * (kDim + kTileGap) +
                                      kTile * (kOthers + kTileGap) + 3 * kMore);
}

template <int kDim, int kRows, int kColumns>
struct BackwardRoom {
  static constexpr int kTile = kRows * kThreadRows;
  static constexpr int kOthers = kColumns * kThreadColumns;
  static constexpr int kMore = kTile > kOthers ? kTile : kOthers;
  static constexpr int kPitch = kDim + kTileGap;
  float* own[2];
  float* passing[2];
  float* weights;
  QueryFacts facts;

  __device__ explicit BackwardRoom(float* shared) {
    own[0] = shared;
    own[1] = own[0] + kTile * kPitch;
    passing[0] = own[1] + kTile * kPitch;
    passing[1] = passing[0] + kOthers * kPitch;
    weights = passing[1] + kOthers * kPitch;
    facts.lse = weights + kTile * (kOthers + kTileGap);
    facts.delta = facts.lse + kMore;
    facts.first = reinterpret_cast<int*>(facts.delta + kMore);
  }
  __device__ float& weight(int i, int j) const {
    return weights[(thread_row() + kThreadRows * i) * (kOthers + kTileGap) + thread_column() +
                   kThreadColumns * j];
  }
};

template <int kRows, int kColumns>
__device__ void set_zero(float (&sums)[kRows][kColumns]) {
#pragma unroll
  for (int i = 0; i < kRows; ++i) {
#pragma unroll
    for (int c = 0; c < kColumns; ++c) {
      sums[i][c] = 0.0f;
    }
  }
}

// Rows first .. of `rows`, which lie at x, get the sums.
template <int kDim, int kRows>
__device__ void store_rows(float* x, const HeadRows& rows, Index first,
                           const float (&sums)[kRows][kDim / kThreadColumns]) {
#pragma unroll
  for (int i = 0; i < kRows; ++i) {
    const Index row = first + thread_row() + kThreadRows * i;
    if (row < rows.count) {
      store_row<kDim>(x + rows.offset(row), sums[i], 1.0f, rows.width);
    }
  }
}

// dv and dk of own keys from `key` on, of what one tile of one head's queries from `t` on adds.
template <int kDim, int kRows, int kColumns>
__device__ void add_queries(const AttentionShape& shape,
                            const BackwardRoom<kDim, kRows, kColumns>& room, int key, Index t,
                            float (&dk)[kRows][kDim / kThreadColumns],
                            float (&dv)[kRows][kDim / kThreadColumns]) {
  constexpr int kOthers = kColumns * kThreadColumns;
  float scores[kRows][kColumns];
  multiply_rows<kDim>(room.own[0], room.passing[0], scores);
#pragma unroll
  for (int j = 0; j < kColumns; ++j) {
    const int query = thread_column() + kThreadColumns * j;
    const int last = shape.last_key(t + query);
#pragma unroll
    for (int i = 0; i < kRows; ++i) {
      const int at = key + thread_row() + kThreadRows * i;
      const bool seen = at >= room.facts.first[query] && at <= last;
      room.weight(i, j) = seen ? expf(scores[i][j] * shape.scale - room.facts.lse[query]) : 0.0f;
    }
  }
  __syncwarp();
  add_weighted<kDim, kOthers>(room.weights, room.passing[1], dv);
  multiply_rows<kDim>(room.own[1], room.passing[1], scores);
  __syncwarp();
#pragma unroll
  for (int j = 0; j < kColumns; ++j) {
    const float delta = room.facts.delta[thread_column() + kThreadColumns * j];
#pragma unroll
    for (int i = 0; i < kRows; ++i) {
      room.weight(i, j) *= (scores[i][j] - delta) * shape.scale;
    }
  }
  __syncwarp();
  add_weighted<kDim, kOthers>(room.weights, room.passing[0], dk);
}

template <int kDim, int kRows, int kColumns>
static __global__ void __launch_bounds__(kAttentionThreads)
    attention_dkv_kernel(AttentionShape shape, AttentionGradients given) {
  using Room = BackwardRoom<kDim, kRows, kColumns>;
  const Room room(shared_memory<float>());
  const KeyBlock block(shape, Room::kTile);
  const HeadRows keys = key_rows(shape, given.k, block.b, block.kv_head);
  load_tile<kDim, Room::kTile>(room.own[0], keys, block.key);
  load_tile<kDim, Room::kTile>(room.own[1], key_rows(shape, given.v, block.b, block.kv_head),
                               block.key);
  float dk[kRows][kDim / kThreadColumns];
  float dv[kRows][kDim / kThreadColumns];
  set_zero(dk);
  set_zero(dv);
  for (Index t = block.first_query(shape); t < shape.queries; t += Room::kOthers) {
    const int first = room.facts.template load_first<Room::kOthers>(shape, block.b, t);
    const int heads = first < block.key + Room::kTile ? shape.group() : 0;
    for (int n = 0; n < heads; ++n) {
      const int head = block.kv_head * shape.group() + n;
      load_tile<kDim, Room::kOthers>(room.passing[0], query_rows(shape, given.q, block.b, head), t);
      load_tile<kDim, Room::kOthers>(room.passing[1], query_rows(shape, given.dout, block.b, head),
                                     t);
      room.facts.template load_scores<Room::kOthers>(shape, given, block.b, head, t);
      __syncthreads();
      add_queries(shape, room, block.key, t, dk, dv);
      __syncthreads();
    }
    __syncthreads();
  }
  store_rows<kDim>(given.dk + (keys.data - given.k), keys, block.key, dk);
  store_rows<kDim>(given.dv + (keys.data - given.k), keys, block.key, dv);
}

}  // namespace lathe::LATHE_GPU
