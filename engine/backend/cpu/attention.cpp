// Attention over threads: forward by (sequence, head, tile of queries), backward by (sequence, key
// head), so that one thread alone sums each gradient, in one order.
#include <cmath>

#include "engine/backend/cpu/cpu_backend.h"
#include "engine/backend/cpu/parallel.h"

namespace lathe::cpu {
namespace {

// Head `head` of sequence `b` in a [B, T, heads * head_dim] tensor.
HeadRows head_rows(const TensorRef& x, std::int64_t b, std::int64_t head, std::int64_t head_dim) {
  return {x.f32() + b * x.shape[1] * x.cols() + head * head_dim, x.cols()};
}

// The workspace may have been made for fewer threads than there are.
int usable_threads(const Backend& backend, const TensorRef& workspace, std::int64_t head_dim) {
  const std::int64_t room = workspace.elements() / attention_workspace_elements(head_dim, 1);
  return static_cast<int>(std::min<std::int64_t>(room, backend.parallelism()));
}

// The keys that the queries of sequence `b` see.
AttentionSpan span_of(const TensorRef& q, const TensorRef& k, const TensorRef& first_key,
                      bool causal, std::int64_t b) {
  const std::int64_t queries = q.shape[1];
  return {.queries = queries,
          .keys = k.shape[1],
          .first_key = first_key.defined() ? first_key.i32() + b * queries : nullptr,
          .causal = causal};
}

}  // namespace

void attention_forward(Backend& backend, const AttentionForwardArgs& args) {
  const std::int64_t length = args.q.shape[1];
  const std::int64_t head_dim = args.q.cols() / args.heads;
  const std::int64_t tiles = (length + kAttentionTile - 1) / kAttentionTile;
  const std::int64_t group = args.heads / args.kv_heads;
  const std::int64_t scratch = attention_workspace_elements(head_dim, 1);
  const int threads = usable_threads(backend, args.workspace, head_dim);
  const float scale = static_cast<float>(1.0 / std::sqrt(static_cast<double>(head_dim)));
#pragma omp parallel for num_threads(threads) schedule(dynamic, 4)
  for (std::int64_t item = 0; item < args.q.shape[0] * args.heads * tiles; ++item) {
    const std::int64_t b = item / (args.heads * tiles);
    const std::int64_t head = item / tiles % args.heads;
    kernels().attention_forward(
        {.q = head_rows(args.q, b, head, head_dim),
         .k = head_rows(args.k, b, head / group, head_dim),
         .v = head_rows(args.v, b, head / group, head_dim),
         .out = head_rows(args.out, b, head, head_dim),
         .lse = args.lse.defined() ? args.lse.f32() + (b * args.heads + head) * length : nullptr,
         .scratch = args.workspace.f32() + omp_get_thread_num() * scratch,
         .span = span_of(args.q, args.k, args.first_key, args.causal, b),
         .head_dim = head_dim,
         .first_query = item % tiles * kAttentionTile,
         .scale = scale});
  }
}

void attention_backward(Backend& backend, const AttentionBackwardArgs& args) {
  const std::int64_t length = args.q.shape[1];
  const std::int64_t head_dim = args.q.cols() / args.heads;
  const std::int64_t group = args.heads / args.kv_heads;
  const std::int64_t scratch = attention_workspace_elements(head_dim, 1);
  const int threads = usable_threads(backend, args.workspace, head_dim);
  const float scale = static_cast<float>(1.0 / std::sqrt(static_cast<double>(head_dim)));
#pragma omp parallel for num_threads(threads) schedule(dynamic)
  for (std::int64_t item = 0; item < args.q.shape[0] * args.kv_heads; ++item) {
    const std::int64_t b = item / args.kv_heads;
    const std::int64_t kv_head = item % args.kv_heads;
    for (std::int64_t head = kv_head * group; head < (kv_head + 1) * group; ++head) {
      kernels().attention_backward(
          {.q = head_rows(args.q, b, head, head_dim),
           .k = head_rows(args.k, b, kv_head, head_dim),
           .v = head_rows(args.v, b, kv_head, head_dim),
           .out = head_rows(args.out, b, head, head_dim),
           .dout = head_rows(args.dout, b, head, head_dim),
           .dq = head_rows(args.dq, b, head, head_dim),
           .dk = head_rows(args.dk, b, kv_head, head_dim),
           .dv = head_rows(args.dv, b, kv_head, head_dim),
           .lse = args.lse.f32() + (b * args.heads + head) * length,
           .scratch = args.workspace.f32() + omp_get_thread_num() * scratch,
           .span = span_of(args.q, args.k, args.first_key, args.causal, b),
           .head_dim = head_dim,
           .scale = scale,
           .first = head == kv_head * group});
    }
  }
}

}  // namespace lathe::cpu
