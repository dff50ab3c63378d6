// Grouped-query attention: shape rules, costs and the size of its scratch.
#include "engine/ops/op_table.h"
#include "engine/ops/shape_rules.h"

namespace lathe {
namespace {

void check_heads(const TensorRef& q, const TensorRef& k, const TensorRef& v, std::int64_t heads,
                 std::int64_t kv_heads) {
  check_f32(q);
  check_f32(k);
  CHECK(q.shape.rank() == 3 && k.shape.rank() == 3, "attention: q and k are [B, T, width]");
  CHECK(heads > 0 && kv_heads > 0 && heads % kv_heads == 0,
        "attention: kv_heads must divide heads");
  CHECK(q.cols() % heads == 0, "attention: heads must divide the width of q");
  CHECK(q.shape[0] == k.shape[0] && q.shape[1] <= k.shape[1],
        "attention: q and k differ in batch, or there are fewer keys than queries");
  CHECK(k.cols() == q.cols() / heads * kv_heads, "attention: k has the wrong width");
  check_same_matrix(k, v);
}

void check_first_key(const TensorRef& first_key, const TensorRef& q) {
  if (first_key.defined()) {
    check_i32(first_key);
    CHECK(first_key.elements() == q.rows(), "attention: one first key a query");
  }
}

void check_workspace(const TensorRef& workspace, const TensorRef& q, std::int64_t heads) {
  check_f32(workspace);
  CHECK(workspace.elements() >= attention_workspace_elements(q.cols() / heads, 1),
        "attention: the workspace is too small");
}

// Pairs (query, key) that see each other, over all batches and heads; first keys are values, which
// a cost does not look at.
double seen_pairs(const TensorRef& q, const TensorRef& k, std::int64_t heads, bool causal) {
  const double length = double(q.shape[1]);
  const double keys = double(k.shape[1]);
  const double seen = causal ? keys - length + (length + 1.0) / 2.0 : keys;
  return double(q.shape[0]) * double(heads) * length * seen;
}

}  // namespace

std::int64_t attention_workspace_elements(std::int64_t head_dim, std::int64_t parallelism) {
  // Per thread: eight tiles of vectors, two of scores, and two numbers a query (see
  // engine/backend/cpu/simd/attention.cpp); nothing that grows with the length of the sequence.
  const std::int64_t width = (head_dim + 15) / 16 * 16;
  return parallelism * (kAttentionTile * (8 * width + 2 * kAttentionTile + 2));
}

void validate(const AttentionForwardArgs& args) {
  check_heads(args.q, args.k, args.v, args.heads, args.kv_heads);
  check_same_matrix(args.q, args.out);
  check_distinct(args.out, args.q);
  check_workspace(args.workspace, args.q, args.heads);
  check_first_key(args.first_key, args.q);
  if (args.lse.defined()) {
    check_elements(args.lse, args.q.rows() * args.heads);
  }
}

OpCost cost(const AttentionForwardArgs& args) {
  const double pairs = seen_pairs(args.q, args.k, args.heads, args.causal);
  const double head_dim = double(args.q.cols() / args.heads);
  return {.flops = pairs * (4.0 * head_dim + 4.0),
          .bytes = 8.0 * double(args.q.elements() + args.k.elements())};
}

void validate(const AttentionBackwardArgs& args) {
  check_heads(args.q, args.k, args.v, args.heads, args.kv_heads);
  check_same_matrix(args.q, args.out);
  check_same_matrix(args.q, args.dout);
  check_same_matrix(args.q, args.dq);
  check_same_matrix(args.k, args.dk);
  check_same_matrix(args.k, args.dv);
  check_elements(args.lse, args.q.rows() * args.heads);
  check_workspace(args.workspace, args.q, args.heads);
  check_first_key(args.first_key, args.q);
}

OpCost cost(const AttentionBackwardArgs& args) {
  const double pairs = seen_pairs(args.q, args.k, args.heads, args.causal);
  const double head_dim = double(args.q.cols() / args.heads);
  return {.flops = pairs * (10.0 * head_dim + 5.0),
          .bytes = 16.0 * double(args.q.elements() + args.k.elements())};
}

}  // namespace lathe
