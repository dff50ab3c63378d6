// attention_backward: deltas, then dk and dv, then dq, which overwrites the deltas.
#include "engine/backend/cuda/attention_call.h"
#include "engine/backend/cuda/device/attention_backward_dq.cuh"
#include "engine/backend/cuda/device/attention_wide_backward.cuh"
#include "engine/backend/cuda/ops.h"

namespace lathe::LATHE_GPU {
namespace {

constexpr const char* kOp = "attention_backward";
constexpr std::size_t kLeast = GpuBackend::kLeastSharedBytes;

template <int kDim, int kRows, int kColumns>
void backward_in_tiles(Backend& backend, const AttentionShape& shape,
                       const AttentionGradients& given) {
  static_assert(kDim > 96 || backward_bytes<kDim, kRows, kColumns>() <= kLeast);
  constexpr int kTile = kRows * kThreadRows;
  KernelCall call{
      .op = kOp,
      .grid = blocks_for(blocks_for(shape.keys, kTile) * shape.batch * shape.kv_heads, 1),
      .block = kAttentionThreads,
      .shared_bytes = backward_bytes<kDim, kRows, kColumns>()};
  launch(backend, call, attention_dkv_kernel<kDim, kRows, kColumns>, shape, given);
  call.grid = blocks_for(blocks_for(shape.queries, kTile) * shape.batch * shape.heads, 1);
  launch(backend, call, attention_dq_kernel<kDim, kRows, kColumns>, shape, given);
}

// Heads for which the tiles that are best where there is room do not fit everywhere.
template <int kDim, int kRows, int kColumns, int kFewerRows, int kFewerColumns>
void backward_in_fitting_tiles(Backend& backend, const AttentionShape& shape,
                               const AttentionGradients& given) {
  static_assert(backward_bytes<kDim, kFewerRows, kFewerColumns>() <= kLeast);
  if (fits(backend, backward_bytes<kDim, kRows, kColumns>())) {
    backward_in_tiles<kDim, kRows, kColumns>(backend, shape, given);
  } else {
    backward_in_tiles<kDim, kFewerRows, kFewerColumns>(backend, shape, given);
  }
}

void backward_in_rows(Backend& backend, const AttentionShape& shape,
                      const AttentionGradients& given) {
  KernelCall call{.op = kOp,
                  .grid = blocks_for(shape.batch * shape.keys * shape.kv_heads, 1),
                  .block = kAttentionThreads,
                  .shared_bytes = wide_backward_bytes(shape.head_dim)};
  launch(backend, call, attention_wide_dkv_kernel, shape, given);
  call.grid = blocks_for(shape.batch * shape.queries * shape.heads, 1);
  launch(backend, call, attention_wide_dq_kernel, shape, given);
}

}  // namespace

void attention_backward(Backend& backend, const AttentionBackwardArgs& args) {
  const std::int64_t head_dim = args.q.cols() / args.heads;
  const AttentionShape shape{.batch = args.q.shape[0],
                             .queries = args.q.shape[1],
                             .keys = args.k.shape[1],
                             .heads = static_cast<int>(args.heads),
                             .kv_heads = static_cast<int>(args.kv_heads),
                             .head_dim = static_cast<int>(head_dim),
                             .scale = attention_scale(head_dim),
                             .first_key = args.first_key.defined() ? args.first_key.i32() : nullptr,
                             .causal = args.causal};
  const AttentionGradients given{.dout = args.dout.f32(),
                                 .q = args.q.f32(),
                                 .k = args.k.f32(),
                                 .v = args.v.f32(),
                                 .lse = args.lse.f32(),
                                 .dq = args.dq.f32(),
                                 .dk = args.dk.f32(),
                                 .dv = args.dv.f32()};
  const std::int64_t rows = shape.batch * shape.queries * shape.heads;
  launch(backend,
         {.op = kOp,
          .grid = blocks_for(rows * kWarpThreads, kAttentionThreads),
          .block = kAttentionThreads},
         attention_delta_kernel, args.dout.f32(), args.out.f32(), args.dq.f32(), rows,
         shape.head_dim);
  if (on_tensor_cores(backend, head_dim)) {
    backward_on_tensor_cores(backend, shape, given);
  } else if (head_dim <= 32) {
    backward_in_tiles<32, 8, 4>(backend, shape, given);
  } else if (head_dim <= 64) {
    backward_in_tiles<64, 8, 4>(backend, shape, given);
  } else if (head_dim <= 96) {
    backward_in_tiles<96, 4, 4>(backend, shape, given);
  } else if (head_dim <= 128) {
    backward_in_fitting_tiles<128, 4, 4, 4, 2>(backend, shape, given);
  } else if (head_dim <= kWidestTile) {
    backward_in_fitting_tiles<kWidestTile, 4, 2, 2, 1>(backend, shape, given);
  } else {
    backward_in_rows(backend, shape, given);
  }
}

}  // namespace lathe::LATHE_GPU
