// What all kernels of attention backward share: their tensors, where a block works, and what it
// needs of each query beside its vectors.
#pragma once

#include "engine/backend/cuda/device/attention_shape.cuh"

namespace lathe::LATHE_GPU {

// With delta = <dout, out> of a row, the gradient of a score is p (<dout, v> - delta) scale. Each
// row's delta lies in the first element of its dq until the last kernel overwrites that.
struct AttentionGradients {
  const float *dout, *q, *k, *v, *lse;
  float *dq, *dk, *dv;
};

// Of the queries of a tile; in shared memory.
struct QueryFacts {
  float* lse;
  float* delta;
  int* first;  // the first key it sees; of queries that are not there, one that none is

  template <int kCount>
  __device__ void load_scores(const AttentionShape& shape, const AttentionGradients& given, Index b,
                              int head, Index t) const {
    const int i = static_cast<int>(threadIdx.x);
    if (i < kCount) {
      const bool there = t + i < shape.queries;
      const Index row = (b * shape.queries + t + i) * shape.heads + head;
      lse[i] = there ? given.lse[(b * shape.heads + head) * shape.queries + t + i] : 0.0f;
      delta[i] = there ? given.dq[row * shape.head_dim] : 0.0f;
    }
  }
  // Waits for the block; the least of all.
  template <int kCount>
  __device__ int load_first(const AttentionShape& shape, Index b, Index t) const {
    const int i = static_cast<int>(threadIdx.x);
    if (i < kCount) {
      first[i] = t + i < shape.queries ? shape.first_of(b, t + i) : 0x7fffffff;
    }
    __syncthreads();
    int least = 0x7fffffff;
    for (int n = 0; n < kCount; ++n) {
      least = first[n] < least ? first[n] : least;
    }
    return least;
  }
};

// A block that owns keys. Those with the most queries, the first ones, come first.
struct KeyBlock {
  int kv_head, key;
  Index b;

  __device__ KeyBlock(const AttentionShape& shape, int tile) {
    kv_head = static_cast<int>(blockIdx.x % shape.kv_heads);
    b = blockIdx.x / shape.kv_heads % shape.batch;
    key = static_cast<int>(blockIdx.x / shape.kv_heads / shape.batch) * tile;
  }
  __device__ Index first_query(const AttentionShape& shape) const {
    const Index before = shape.keys - shape.queries;
    return shape.causal && key > before ? key - before : 0;
  }
};

// A block that owns queries. Those with the most keys, the last ones, come first.
struct QueryBlock {
  int head;
  Index b, t;

  __device__ QueryBlock(const AttentionShape& shape, int tile) {
    const Index tiles = (shape.queries + tile - 1) / tile;
    head = static_cast<int>(blockIdx.x % shape.heads);
    b = blockIdx.x / shape.heads % shape.batch;
    t = (tiles - 1 - blockIdx.x / shape.heads / shape.batch) * tile;
  }
  __device__ int last_key(const AttentionShape& shape, int tile) const {
    return shape.last_key((t + tile < shape.queries ? t + tile : shape.queries) - 1);
  }
};

}  // namespace lathe::LATHE_GPU
