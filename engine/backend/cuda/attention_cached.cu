// attention_cached: forward of one sequence, the heads that share keys in one tile, so that these
// are read once; few rows split the keys over blocks.
#include "engine/backend/cuda/attention_call.h"
#include "engine/backend/cuda/ops.h"

namespace lathe::LATHE_GPU {

void attention_cached(Backend& backend, const AttentionCachedArgs& args) {
  const std::int64_t head_dim = args.q.cols() / args.heads;
  // The workspace grows with the keys; for few of them the back end's own scratch is larger.
  constexpr std::int64_t kScratch = GpuBackend::kScratchBytes / 4;
  const bool own = args.workspace.elements() < kScratch;
  run_attention_forward(
      backend, {.op = "attention_cached",
                .shape = {.batch = 1,
                          .queries = args.q.rows(),
                          .keys = args.k.rows(),
                          .heads = static_cast<int>(args.heads),
                          .kv_heads = static_cast<int>(args.kv_heads),
                          .head_dim = static_cast<int>(head_dim),
                          .packed = static_cast<int>(args.heads / args.kv_heads),
                          .scale = attention_scale(head_dim),
                          .window = args.window},
                .q = args.q.f32(),
                .k = args.k.f32(),
                .v = args.v.f32(),
                .out = args.out.f32(),
                .lse = nullptr,
                .partial = own ? static_cast<float*>(gpu(backend).scratch()) : args.workspace.f32(),
                .room = own ? kScratch : args.workspace.elements()});
}

}  // namespace lathe::LATHE_GPU
