// Attention over kept keys and values: shape rule, cost and scratch.
#include <algorithm>

#include "engine/ops/op_table.h"
#include "engine/ops/shape_rules.h"

namespace lathe {

std::int64_t attention_cached_workspace_elements(std::int64_t keys, std::int64_t parallelism) {
  // The scores of one query; whole cache lines, so that threads do not share one.
  return parallelism * ((keys + 15) / 16 * 16);
}

KeyRange visible_keys(const AttentionCachedArgs& args, std::int64_t t) {
  const std::int64_t end = args.k.rows() - args.q.rows() + t + 1;
  return {args.window == 0 ? 0 : std::max<std::int64_t>(0, end - args.window), end};
}

void validate(const AttentionCachedArgs& args) {
  check_same_matrix(args.q, args.out);
  check_same_matrix(args.k, args.v);
  CHECK(args.heads > 0 && args.kv_heads > 0 && args.heads % args.kv_heads == 0 &&
            args.q.cols() % args.heads == 0,
        "attention_cached: kv_heads must divide heads, heads the width of q");
  CHECK(args.k.cols() == args.q.cols() / args.heads * args.kv_heads,
        "attention_cached: k has the wrong width");
  CHECK(args.k.rows() >= args.q.rows() && args.window >= 0,
        "attention_cached: the keys include those of the queries");
  check_f32(args.workspace);
  CHECK(args.workspace.elements() >= attention_cached_workspace_elements(args.k.rows(), 1),
        "attention_cached: the workspace is too small");
  check_distinct(args.out, args.q);
}

OpCost cost(const AttentionCachedArgs& args) {
  double pairs = 0.0;
  for (std::int64_t t = 0; t < args.q.rows(); ++t) {
    const KeyRange keys = visible_keys(args, t);
    pairs += double(args.heads) * double(keys.end - keys.first);
  }
  const double head_dim = double(args.q.cols() / args.heads);
  return {.flops = pairs * (4.0 * head_dim + 4.0),
          .bytes = 8.0 * double(args.q.elements() + args.k.elements())};
}

}  // namespace lathe
