// What the kernels of attention are told: heads, tiles and rows of one sequence.
#pragma once

#include <cstdint>

namespace lathe::cpu {

// One head of one sequence; strides are those between rows (positions).
struct HeadRows {
  float* data;
  std::int64_t stride;
};

// Which keys a head's queries see: query t those of [first_key[t] (0 where null), keys - queries +
// t], or to the last key if it is not causal.
struct AttentionSpan {
  std::int64_t queries, keys;
  const std::int32_t* first_key;
  bool causal;
};

// Queries [first_query, first_query + tile) of one head.
struct AttentionForwardTile {
  HeadRows q, k, v, out;
  float* lse;  // [queries] or null
  float* scratch;
  AttentionSpan span;
  std::int64_t head_dim, first_query;
  float scale;
};

// All queries of one head against its keys and values. dk and dv are overwritten if `first`, else
// added to (further heads of the group).
struct AttentionBackwardHead {
  HeadRows q, k, v, out, dout, dq, dk, dv;
  const float* lse;
  float* scratch;
  AttentionSpan span;
  std::int64_t head_dim;
  float scale;
  bool first;
};

// One query of one head against `keys` kept keys and values.
struct AttentionRow {
  const float* q;
  HeadRows k, v;
  float* out;
  float* scratch;  // [keys]
  std::int64_t keys, head_dim;
  float scale;
};

}  // namespace lathe::cpu
