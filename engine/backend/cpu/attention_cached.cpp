// Attention over kept keys and values: a (query, head) pair is one thread's.
#include <cmath>

#include "engine/backend/cpu/cpu_backend.h"
#include "engine/backend/cpu/parallel.h"

namespace lathe::cpu {

void attention_cached(Backend& backend, const AttentionCachedArgs& args) {
  const std::int64_t head_dim = args.q.cols() / args.heads;
  const std::int64_t group = args.heads / args.kv_heads;
  const std::int64_t kv_width = args.k.cols();
  const std::int64_t scratch = attention_cached_workspace_elements(args.k.rows(), 1);
  const int threads = static_cast<int>(
      std::min<std::int64_t>(args.workspace.elements() / scratch, backend.parallelism()));
  const std::int64_t work = args.q.elements() * args.k.rows();
#pragma omp parallel for num_threads(threads) schedule(static) if (work >= kSerialElements)
  for (std::int64_t item = 0; item < args.q.rows() * args.heads; ++item) {
    const KeyRange keys = visible_keys(args, item / args.heads);
    const std::int64_t start = keys.first * kv_width + item % args.heads / group * head_dim;
    kernels().attention_row({.q = args.q.f32() + item * head_dim,
                             .k = {args.k.f32() + start, kv_width},
                             .v = {args.v.f32() + start, kv_width},
                             .out = args.out.f32() + item * head_dim,
                             .scratch = args.workspace.f32() + omp_get_thread_num() * scratch,
                             .keys = keys.end - keys.first,
                             .head_dim = head_dim,
                             .scale = static_cast<float>(1.0 / std::sqrt(double(head_dim)))});
  }
}

}  // namespace lathe::cpu
