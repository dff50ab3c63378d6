// What a call of attention attends to: which queries, keys and heads there are, where their vectors
// lie, and which keys a query sees.
#pragma once

#include "engine/backend/cuda/device/reduce.cuh"

namespace lathe::LATHE_GPU {

inline constexpr int kAttentionThreads = 128;

// Queries and keys of one call. Row r of a set of `packed` heads (1, or those that share a key
// head) is query r / packed of head r % packed.
struct AttentionShape {
  Index batch, queries, keys;
  int heads, kv_heads, head_dim;
  int packed = 1;
  float scale = 1.0f;
  const int* first_key = nullptr;  // [batch, queries], or all keys are seen
  Index window = 0;                // of the keys up to its own that a query sees; 0: all
  bool causal = true;              // a query sees no key beyond its own

  __host__ __device__ Index rows() const { return queries * packed; }
  __host__ __device__ int group() const { return heads / kv_heads; }
  __device__ int last_key(Index t) const {
    return static_cast<int>(causal ? keys - queries + t : keys - 1);
  }
  __device__ int first_of(Index b, Index t) const {
    const int first = first_key == nullptr ? 0 : first_key[b * queries + t];
    const Index from = window == 0 ? 0 : keys - queries + t + 1 - window;
    return from > first ? static_cast<int>(from) : first;
  }
};

// The vectors of a set of heads: vector r starts at data + r / heads * stride + r % heads * width.
struct HeadRows {
  const float* data;
  Index stride, count;
  int heads, width;

  __device__ Index offset(Index r) const {
    return heads == 1 ? r * stride : r / heads * stride + r % heads * width;
  }
  __device__ const float* at(Index r) const { return data + offset(r); }
  // Whether four elements may be read at once.
  __device__ bool by_four() const {
    return width % 4 == 0 && stride % 4 == 0 && reinterpret_cast<std::uintptr_t>(data) % 16 == 0;
  }
};

__device__ inline HeadRows query_rows(const AttentionShape& shape, const float* x, Index b,
                                      int head) {
  const Index stride = static_cast<Index>(shape.heads) * shape.head_dim;
  return {x + b * shape.queries * stride + static_cast<Index>(head) * shape.head_dim, stride,
          shape.rows(), shape.packed, shape.head_dim};
}
__device__ inline HeadRows key_rows(const AttentionShape& shape, const float* x, Index b,
                                    int kv_head) {
  const Index stride = static_cast<Index>(shape.kv_heads) * shape.head_dim;
  return {x + b * shape.keys * stride + static_cast<Index>(kv_head) * shape.head_dim, stride,
          shape.keys, 1, shape.head_dim};
}

__device__ inline float dot(const float* a, const float* b, int width) {
  float sum = 0.0f;
  for (int i = 0; i < width; ++i) {
    sum += a[i] * b[i];
  }
  return sum;
}

// Greatest, where a NaN does not count.
struct GreatestNumber {
  __device__ float operator()(float a, float b) const { return fmaxf(a, b); }
};

// What to take from scores before exp: 0 while there is none, so that exp(-inf) makes no NaN.
__device__ inline float finite_top(float top) {
  return top == -INFINITY ? 0.0f : top;
}

}  // namespace lathe::LATHE_GPU
