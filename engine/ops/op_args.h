// The arguments of every op, one struct each: what it computes, shapes, and which tensors it
// writes. B is batch, T sequence length, N = B*T tokens, D model width, V vocabulary; all tensors
// are f32 unless said otherwise. Outputs never alias inputs unless a line says "in place" or "may
// alias".
#pragma once

#include <cstdint>
#include <string_view>

#include "engine/ops/activation_kind.h"
#include "engine/ops/attention_tile.h"
#include "engine/ops/column_args.h"
#include "engine/ops/distill_args.h"
#include "engine/ops/dropout_args.h"
#include "engine/ops/int8_args.h"
#include "engine/ops/norm_args.h"
#include "engine/ops/optimizer_args.h"
#include "engine/ops/palette_args.h"
#include "engine/ops/palette_map_args.h"
#include "engine/ops/rope_kind.h"
#include "engine/ops/stored_args.h"
#include "engine/ops/subtoken_args.h"
#include "engine/tensor/tensor.h"

namespace lathe {

// c = alpha * op(a) * op(b) + beta * c, op = transpose where asked. a: [M, K], b: [K, N], c: [M, N]
// after op; tensors of higher rank are seen as matrices of their last extent.
// What a linear layer with a bias has beside its products, where libraries may do it on their way:
// bias, f32 [N], is added to each row of c; a_sums, f32 [M], of a transposed a, becomes beta *
// a_sums
// + the sums of op(a) over K, beta 0 or 1 (of the gradient of an output they are the bias's).
struct MatmulArgs {
  TensorRef a, b, c;
  bool transpose_a = false;
  bool transpose_b = false;
  float alpha = 1.0f;
  float beta = 0.0f;
  TensorRef bias = {}, a_sums = {};
};

struct MatmulExtents {
  std::int64_t m = 0, n = 0, k = 0;
};
MatmulExtents matmul_extents(const MatmulArgs& args);

// out = a + b, equal shapes; out may alias a or b.
struct AddArgs {
  TensorRef a, b, out;
};

// x += bias to each row, in place. x: [N, D]; bias: [D].
struct BiasAddArgs {
  TensorRef x, bias;
};

// dbias += the sum of the rows of dy [N, D], in an order that does not depend on threads.
struct BiasBackwardArgs {
  TensorRef dy, dbias;
};

// x *= factor, in place.
struct ScaleArgs {
  TensorRef x;
  float factor = 1.0f;
};

struct CopyArgs {
  TensorRef from, to;
};

// Each element of x becomes the nearest number of bf16, of two equally near the even one, in place;
// bits (bf16) gets the same. x: f32.
struct ToBf16Args {
  TensorRef x, bits;
};

// x = bits, exactly. bits: bf16; x: f32.
struct FromBf16Args {
  TensorRef bits, x;
};

struct FillArgs {
  TensorRef out;
  float value = 0.0f;
};

// out[i] ~ N(mean, stddev^2), truncated at +-3 stddev if asked, or U(mean-stddev, mean+stddev) if
// uniform; drawn by Philox from (seed, stream, i) alone (engine/base/rng.h).
struct RandomFillArgs {
  TensorRef out;
  std::uint64_t seed = 0;
  std::uint64_t stream = 0;
  float mean = 0.0f;
  float stddev = 1.0f;
  bool uniform = false;
  bool truncated = false;
};

// Rotary position embedding (Su et al. 2021, eq. 34) in place. x: [B, T, heads * head_dim].
// Position of row t is first_position + t, or, where defined, what positions (i32 [B, T], not
// negative) says, and first_position is not used. inverse = true rotates back (the backward pass).
struct RopeArgs {
  TensorRef x;
  std::int64_t heads = 1;
  float theta = 10000.0f;
  std::int64_t first_position = 0;
  bool inverse = false;
  TensorRef positions = {};
  RopePairs pairs = RopePairs::kHalves;
  RopeScaling scaling = {};
};

// Grouped-query attention, softmax(q k^T * scale) v, scale = 1/sqrt(head_dim), in tiles: no T x T
// matrix is ever held. q, out: [B, T, heads*head_dim]; k, v: [B, S, kv_heads*head_dim], S >= T:
// query t is the sequence's row S - T + t and sees the keys up to it (what came before may lie in a
// cache), or, if it is not causal, all S. lse: [B, heads, T] log-sum-exp of each row, kept for
// backward (written if defined). workspace: f32 of attention_workspace_elements(). first_key, where
// defined: i32 [B, T], the first key that a query sees, 0 .. S - T + t (packed samples, sliding
// windows).
struct AttentionForwardArgs {
  TensorRef q, k, v, out, lse, workspace;
  std::int64_t heads = 1;
  std::int64_t kv_heads = 1;
  TensorRef first_key = {};
  bool causal = true;
};

// dq, dk, dv are overwritten. out and lse as forward wrote them (FlashAttention, Dao et al. 2022,
// algorithm 4).
struct AttentionBackwardArgs {
  TensorRef dout, q, k, v, out, lse, dq, dk, dv, workspace;
  std::int64_t heads = 1;
  std::int64_t kv_heads = 1;
  TensorRef first_key = {};
  bool causal = true;
};

// Scratch of both attention ops in f32 elements for `parallelism` threads (Backend::parallelism()).
std::int64_t attention_workspace_elements(std::int64_t head_dim, std::int64_t parallelism);

// h = silu(gate) * up (Shazeer 2020, eq. 6). All [N, F]; h may alias up or gate.
struct SwigluForwardArgs {
  TensorRef gate, up, h;
};

// dgate, dup from dh; dgate may alias gate, dup may alias up. If h is defined it is recomputed into
// it.
struct SwigluBackwardArgs {
  TensorRef dh, gate, up, dgate, dup, h;
};

// y = f(x), elementwise; y may alias x. GELU is the exact erf form.
struct ActivationForwardArgs {
  TensorRef x, y;
  Activation kind = Activation::kNone;
};

// dx = dy * f'(x); dx may alias dy.
struct ActivationBackwardArgs {
  TensorRef x, dy, dx;
  Activation kind = Activation::kNone;
};

// out[n] = table[ids[n]]. table: [V, D] of any type but i32; ids: i32 [N]; out: [N, D].
struct EmbeddingForwardArgs {
  TensorRef table, ids, out;
};

// dtable[ids[n]] += dout[n], in an order that does not depend on threads.
struct EmbeddingBackwardArgs {
  TensorRef dout, ids, dtable;
};

// The sums over rows, in the order of kCrossEntropySums doubles of a tensor (engine/backend/sums.h
// reads them).
struct CrossEntropySums {
  double loss = 0;           // nats
  std::int64_t correct = 0;  // argmax == target
  std::int64_t counted = 0;  // targets that are not ignored
};
inline constexpr std::int64_t kCrossEntropySums = 3;

// Softmax cross-entropy of one chunk of rows, in place: logits [n, V] become their gradient
// (softmax - onehot) * scale if write_gradient, else they are left as they are; scale is
// grad_scale, or scale_at, f64 [1], where that is defined. targets: i32 [n]; a target of -1 is
// ignored (zero gradient). Adds to sums: f64 [kCrossEntropySums], zeroed before the first chunk
// (clear_sums()). Where defined, losses: f32 [n] gets each row's own loss and argmax: i32 [n] the
// first index of its greatest logit. An ignored row has loss 0 and argmax -1; a row with any logit
// that is not finite has loss NaN and argmax -1, so that no score hides it.
struct CrossEntropyArgs {
  TensorRef logits, targets, sums;
  TensorRef losses = {}, argmax = {};
  float grad_scale = 1.0f;
  TensorRef scale_at = {};
  bool write_gradient = true;
};

}  // namespace lathe
