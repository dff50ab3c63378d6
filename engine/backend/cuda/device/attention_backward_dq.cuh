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

// Blocks with the most keys, those of the last queries, come first.
template <int kDim, int kRows, int kColumns>
static __global__ void __launch_bounds__(kAttentionThreads)
    attention_dq_kernel(AttentionShape shape, AttentionGradients given) {
  using Room = BackwardRoom<kDim, kRows, kColumns>;
  const Room room(shared_memory<float>());
  const int head = static_cast<int>(blockIdx.x % shape.heads);
  const int kv_head = head / shape.group();
  const Index b = blockIdx.x / shape.heads % shape.batch;
  const Index tiles = (shape.queries + Room::kTile - 1) / Room::kTile;
  const Index t = (tiles - 1 - blockIdx.x / shape.heads / shape.batch) * Room::kTile;
  load_tile<kDim, Room::kTile>(room.own[0], query_rows(shape, given.q, b, head), t);
  load_tile<kDim, Room::kTile>(room.own[1], query_rows(shape, given.dout, b, head), t);
  const int thread = static_cast<int>(threadIdx.x);
  if (thread < Room::kTile) {
    room.facts.load(shape, given, b, head, t + thread, thread);
    room.facts.first[thread] =
        t + thread < shape.queries ? shape.first_of(b, t + thread) : 0x7fffffff;
  }
  __syncthreads();
  int first = 0x7fffffff;
  for (int i = 0; i < Room::kTile; ++i) {
    first = room.facts.first[i] < first ? room.facts.first[i] : first;
  }
  const Index last_query =
      t + Room::kTile < shape.queries ? t + Room::kTile - 1 : shape.queries - 1;
  const int last = shape.last_key(last_query);
  const HeadRows keys = key_rows(shape, given.k, b, kv_head);
  const HeadRows values = key_rows(shape, given.v, b, kv_head);
  float dq[kRows][kDim / kThreadColumns];
  set_zero(dq);
  for (int key = first / Room::kOthers * Room::kOthers; key <= last; key += Room::kOthers) {
    load_tile<kDim, Room::kOthers>(room.passing[0], keys, key);
    load_tile<kDim, Room::kOthers>(room.passing[1], values, key);
    __syncthreads();
    add_keys(shape, room, key, t, dq);
    __syncthreads();
  }
  const Index width = static_cast<Index>(shape.heads) * shape.head_dim;
  store_rows<kDim>(given.dq + b * shape.queries * width + static_cast<Index>(head) * shape.head_dim,
                   shape, width, t, shape.queries, dq);
}

}  // namespace lathe::LATHE_GPU
