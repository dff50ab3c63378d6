// Attention backward for heads too wide for tiles: a block a key or a query, a thread one of each
// 128 on the other side.
#pragma once

#include "engine/backend/cuda/device/attention_gradients.cuh"

namespace lathe::LATHE_GPU {

// Shared memory in bytes: two own vectors, their two sums, two weights a thread.
inline std::size_t wide_backward_bytes(int head_dim) {
  return sizeof(float) * static_cast<std::size_t>(4 * head_dim + 2 * kAttentionThreads);
}

struct WideRoom {
  float *own[2], *sums[2], *weights[2];

  // Own vectors from a and b, sums zero. The caller waits for the block.
  __device__ WideRoom(float* shared, const float* a, const float* b, int width) {
    for (int n = 0; n < 2; ++n) {
      own[n] = shared + n * width;
      sums[n] = shared + (2 + n) * width;
      weights[n] = shared + 4 * width + n * kAttentionThreads;
    }
    for (int i = static_cast<int>(threadIdx.x); i < width; i += kAttentionThreads) {
      own[0][i] = a[i];
      own[1][i] = b[i];
      sums[0][i] = 0.0f;
      sums[1][i] = 0.0f;
    }
  }
  // sums[n] += weights[n][0 .. count) times the vectors of x from `first` on.
  __device__ void add(int n, const HeadRows& x, Index first, int count) const {
    for (int i = static_cast<int>(threadIdx.x); i < x.width; i += kAttentionThreads) {
      float sum = sums[n][i];
      for (int j = 0; j < count; ++j) {
        sum += weights[n][j] * x.at(first + j)[i];
      }
      sums[n][i] = sum;
    }
  }
  __device__ void store(int n, float* to, int width) const {
    for (int i = static_cast<int>(threadIdx.x); i < width; i += kAttentionThreads) {
      to[i] = sums[n][i];
    }
  }
};

static __global__ void attention_wide_dkv_kernel(AttentionShape shape, AttentionGradients given) {
  const int thread = static_cast<int>(threadIdx.x);
  const int width = shape.head_dim;
  const Index item = blockIdx.x;  // of [batch, keys, kv_heads]
  const int kv_head = static_cast<int>(item % shape.kv_heads);
  const Index key = item / shape.kv_heads % shape.keys;
  const Index b = item / shape.kv_heads / shape.keys;
  const WideRoom room(shared_memory<float>(), given.k + item * width, given.v + item * width,
                      width);
  const Index before = shape.keys - shape.queries;
  const Index start = shape.causal && key > before ? key - before : 0;
  for (int head = kv_head * shape.group(); head < (kv_head + 1) * shape.group(); ++head) {
    const HeadRows queries = query_rows(shape, given.q, b, head);
    const HeadRows douts = query_rows(shape, given.dout, b, head);
    for (Index first = start; first < shape.queries; first += kAttentionThreads) {
      const Index t = first + thread;
      __syncthreads();
      room.weights[0][thread] = 0.0f;
      room.weights[1][thread] = 0.0f;
      if (t < shape.queries && shape.first_of(b, t) <= key) {
        const Index row = (b * shape.queries + t) * shape.heads + head;
        const float lse = given.lse[(b * shape.heads + head) * shape.queries + t];
        const float p = expf(dot(room.own[0], queries.at(t), width) * shape.scale - lse);
        const float dp = dot(room.own[1], douts.at(t), width) - given.dq[row * width];
        room.weights[0][thread] = p * (dp * shape.scale);
        room.weights[1][thread] = p;
      }
      __syncthreads();
      const Index left = shape.queries - first;
      const int count = left < kAttentionThreads ? static_cast<int>(left) : kAttentionThreads;
      room.add(0, queries, first, count);
      room.add(1, douts, first, count);
    }
  }
  __syncthreads();
  room.store(0, given.dk + item * width, width);
  room.store(1, given.dv + item * width, width);
}

static __global__ void attention_wide_dq_kernel(AttentionShape shape, AttentionGradients given) {
  const int thread = static_cast<int>(threadIdx.x);
  const int width = shape.head_dim;
  const Index item = blockIdx.x;  // of [batch, queries, heads]
  const int head = static_cast<int>(item % shape.heads);
  const Index t = item / shape.heads % shape.queries;
  const Index b = item / shape.heads / shape.queries;
  const HeadRows keys = key_rows(shape, given.k, b, head / shape.group());
  const HeadRows values = key_rows(shape, given.v, b, head / shape.group());
  const WideRoom room(shared_memory<float>(), given.q + item * width, given.dout + item * width,
                      width);
  const float lse = given.lse[(b * shape.heads + head) * shape.queries + t];
  const float delta = given.dq[item * width];
  const int last = shape.last_key(t);
  for (int first = shape.first_of(b, t); first <= last; first += kAttentionThreads) {
    const int count = last + 1 - first < kAttentionThreads ? last + 1 - first : kAttentionThreads;
    __syncthreads();
    if (thread < count) {
      const float p = expf(dot(room.own[0], keys.at(first + thread), width) * shape.scale - lse);
      const float dp = dot(room.own[1], values.at(first + thread), width) - delta;
      room.weights[0][thread] = p * (dp * shape.scale);
    }
    __syncthreads();
    room.add(0, keys, first, count);
  }
  __syncthreads();
  room.store(0, given.dq + item * width, width);
}

}  // namespace lathe::LATHE_GPU
