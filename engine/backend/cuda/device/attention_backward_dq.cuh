// The half of attention backward that owns queries: dq.
#pragma once

#include "engine/backend/cuda/device/attention_backward.cuh"

namespace lathe::LATHE_GPU {

// dq of own queries from `t` on, of what one tile of keys from `key` on adds.
template <int kDim, int kRows, int kColumns>
__device__ void add_keys(const AttentionShape& shape,
                         const BackwardRoom<kDim, kRows, kColumns>& room, int key, Index t,
                         float (&dq)[kRows][kDim / kThreadColumns]) {
  float scores[kRows][kColumns];
  float dweights[kRows][kColumns];
  multiply_rows<kDim>(room.own[0], room.passing[0], scores);
  multiply_rows<kDim>(room.own[1], room.passing[1], dweights);
#pragma unroll
  for (int i = 0; i < kRows; ++i) {
    const int query = thread_row() + kThreadRows * i;
    const int first = room.facts.first[query];
    const int last = shape.last_key(t + query);
    const float lse = room.facts.lse[query];
    const float delta = room.facts.delta[query];
#pragma unroll
    for (int j = 0; j < kColumns; ++j) {
      const int at = key + thread_column() + kThreadColumns * j;
      room.weight(i, j) = at >= first && at <= last ? expf(scores[i][j] * shape.scale - lse) *
                                                          ((dweights[i][j] - delta) * shape.scale)
                                                    : 0.0f;
    }
  }
  __syncwarp();
  add_weighted<kDim, kColumns * kThreadColumns>(room.weights, room.passing[0], dq);
}

template <int kDim, int kRows, int kColumns>
static __global__ void __launch_bounds__(kAttentionThreads)
    attention_dq_kernel(AttentionShape shape, AttentionGradients given) {
  using Room = BackwardRoom<kDim, kRows, kColumns>;
  const Room room(shared_memory<float>());
  const QueryBlock block(shape, Room::kTile);
  const HeadRows queries = query_rows(shape, given.q, block.b, block.head);
  const HeadRows keys = key_rows(shape, given.k, block.b, block.head / shape.group());
  const HeadRows values = key_rows(shape, given.v, block.b, block.head / shape.group());
  load_tile<kDim, Room::kTile>(room.own[0], queries, block.t);
  load_tile<kDim, Room::kTile>(room.own[1], query_rows(shape, given.dout, block.b, block.head),
                               block.t);
  room.facts.template load_scores<Room::kTile>(shape, given, block.b, block.head, block.t);
  const int first = room.facts.template load_first<Room::kTile>(shape, block.b, block.t);
  const int last = block.last_key(shape, Room::kTile);
  float dq[kRows][kDim / kThreadColumns];
  set_zero(dq);
  for (int key = first / Room::kOthers * Room::kOthers; key <= last; key += Room::kOthers) {
    load_tile<kDim, Room::kOthers>(room.passing[0], keys, key);
    load_tile<kDim, Room::kOthers>(room.passing[1], values, key);
    __syncthreads();
    add_keys(shape, room, key, block.t, dq);
    __syncthreads();
  }
  store_rows<kDim>(given.dq + (queries.data - given.q), queries, block.t, dq);
}

}  // namespace lathe::LATHE_GPU
