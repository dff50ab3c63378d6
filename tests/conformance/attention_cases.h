// What the cases of attention's two directions share: their shapes and the plain formula, with the
// whole matrix of weights.
#pragma once

#include "tests/conformance/case.h"

namespace lathe::conformance {

struct AttentionShape {
  std::int64_t batch, length, heads, kv_heads, head_dim;
  std::int64_t before = 0;  // keys before the first query's own
  bool packed = false;      // queries have a first key: samples of five to some dozens of rows
  bool causal = true;
  std::int64_t keys() const { return before + length; }
  Parameters parameters() const;
  Shape q() const { return Shape{batch, length, heads * head_dim}; }
  Shape kv() const { return Shape{batch, keys(), kv_heads * head_dim}; }
  Shape lse() const { return Shape{batch, heads, length}; }
  // For four threads.
  Shape workspace() const { return Shape{attention_workspace_elements(head_dim, 4)}; }
  // Indices of channel 0 of a query head and of the key head it looks at.
  std::size_t query(std::int64_t b, std::int64_t t, std::int64_t head) const;
  // The first key that a query sees, and all of them.
  std::int32_t first(std::int64_t b, std::int64_t t) const;
  std::vector<std::int32_t> first_keys() const;
  void add_first_key(Case& test) const;
  // Behind the last key that a query sees.
  std::int64_t end(std::int64_t t) const { return causal ? before + t + 1 : keys(); }
  std::size_t key(std::int64_t b, std::int64_t t, std::int64_t head) const;
};

// Shapes of both directions: one token, primes, beside and beyond a tile, groups.
std::vector<AttentionShape> attention_shapes();

struct PlainAttention {
  std::vector<double> out, lse, weights;  // weights: [B, heads, T, S]
};
PlainAttention plain_attention(const AttentionShape& shape, const Wide& in);

}  // namespace lathe::conformance
