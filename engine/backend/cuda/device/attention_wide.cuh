// Attention forward for heads too wide for tiles: a block a query, a thread a key of each 128.
#pragma once

#include "engine/backend/cuda/device/attention_shape.cuh"

namespace lathe::LATHE_GPU {

// Shared memory in bytes: the query, its sums, a weight a thread, what reduce_block needs.
inline std::size_t wide_forward_bytes(int head_dim) {
  return sizeof(float) * static_cast<std::size_t>(2 * head_dim + kAttentionThreads + 32);
}

// shape.packed is 1.
static __global__ void attention_wide_kernel(AttentionShape shape, const float* q, const float* k,
                                             const float* v, float* out, float* lse) {
  const int thread = static_cast<int>(threadIdx.x);
  const int width = shape.head_dim;
  const Index item = blockIdx.x;
  const int head = static_cast<int>(item % shape.heads);
  const Index t = item / shape.heads % shape.queries;
  const Index b = item / shape.heads / shape.queries;
  const HeadRows keys = key_rows(shape, k, b, head / shape.group());
  const HeadRows values = key_rows(shape, v, b, head / shape.group());
  auto* const query = shared_memory<float>();
  float* const sums = query + width;
  float* const weights = sums + width;
  float* const room = weights + kAttentionThreads;
  for (int i = thread; i < width; i += kAttentionThreads) {
    query[i] = q[item * width + i];
    sums[i] = 0.0f;
  }
  __syncthreads();
  float top = -INFINITY;
  float sum = 0.0f;
  const int last = shape.last_key(t);
  for (int key = shape.first_of(b, t); key <= last; key += kAttentionThreads) {
    const int count = last + 1 - key < kAttentionThreads ? last + 1 - key : kAttentionThreads;
    const float score =
        thread < count ? shape.scale * dot(query, keys.at(key + thread), width) : -INFINITY;
    const float before = top;
    top = fmaxf(top, reduce_block(score, -INFINITY, GreatestNumber(), room));
    const float weight = expf(score - finite_top(top));
    const float correction = expf(before - finite_top(top));
    weights[thread] = weight;
    sum = sum * correction + reduce_block(weight, 0.0f, Sum(), room);
    for (int i = thread; i < width; i += kAttentionThreads) {
      float mixed = sums[i] * correction;
      for (int j = 0; j < count; ++j) {
        mixed += weights[j] * values.at(key + j)[i];
      }
      sums[i] = mixed;
    }
    __syncthreads();
  }
  for (int i = thread; i < width; i += kAttentionThreads) {
    out[item * width + i] = sums[i] / sum;
  }
  if (lse != nullptr && thread == 0) {
    lse[(b * shape.heads + head) * shape.queries + t] = sum == 0.0f ? NAN : top + logf(sum);
  }
}

}  // namespace lathe::LATHE_GPU
