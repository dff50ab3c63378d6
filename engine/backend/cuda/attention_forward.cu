// attention_forward, and the launches that it shares with attention_cached.
#include "engine/backend/cuda/device/attention_forward.cuh"

#include <algorithm>
#include <cmath>

#include "engine/backend/cuda/attention_call.h"
#include "engine/backend/cuda/device/attention_cached.cuh"
#include "engine/backend/cuda/device/attention_wide.cuh"
#include "engine/backend/cuda/ops.h"

namespace lathe::LATHE_GPU {
namespace {

// Into how many parts the keys go, so that few rows fill the device: as many as there is room and
// whole tiles of keys for.
int splits_for(const Backend& backend, const AttentionCall& call, std::int64_t blocks, int keys) {
  constexpr std::int64_t kBlocksEach = 4;  // on a multiprocessor
  const AttentionShape& shape = call.shape;
  const std::int64_t wanted = (backend.parallelism() * kBlocksEach + blocks - 1) / blocks;
  const std::int64_t record = shape.batch * shape.queries * shape.heads * (shape.head_dim + 2);
  const std::int64_t tiles = (shape.keys + keys - 1) / keys;
  return static_cast<int>(std::max<std::int64_t>(1, std::min({wanted, call.room / record, tiles})));
}

template <int kDim, int kRows, int kColumns>
void forward_in_tiles(Backend& backend, const AttentionCall& call) {
  const AttentionShape& shape = call.shape;
  const std::int64_t sets = shape.heads / shape.packed;
  const std::int64_t tiles = blocks_for(shape.rows(), kRows * kThreadRows);
  const std::int64_t blocks = tiles * sets * shape.batch;
  const int splits = splits_for(backend, call, blocks, kColumns * kThreadColumns);
  launch(backend,
         {.op = call.op,
          .grid = blocks_for(blocks * splits, 1),
          .block = kAttentionThreads,
          .shared_bytes = forward_bytes<kDim, kRows, kColumns>()},
         attention_forward_kernel<kDim, kRows, kColumns>, shape, call.q, call.k, call.v,
         AttentionResults{
             .out = call.out, .lse = call.lse, .partial = call.partial, .splits = splits});
  if (splits > 1) {
    const std::int64_t rows = shape.batch * shape.queries * shape.heads;
    launch(backend,
           {.op = call.op,
            .grid = blocks_for(rows * kWarpThreads, kAttentionThreads),
            .block = kAttentionThreads},
           attention_merge_kernel, call.partial, call.out, rows, shape.head_dim, splits);
  }
}

// Few rows are for reading keys, not for products.
constexpr std::int64_t kFewRows = 2 * kThreadRows;

// Tiles of 64 rows, or of 8 where there are hardly more.
template <int kDim>
void forward_of_width(Backend& backend, const AttentionCall& call) {
  constexpr int kManyRows = kDim <= 128 ? 8 : 4;
  constexpr std::size_t kLeast = GpuBackend::kLeastSharedBytes;
  static_assert(forward_bytes<kDim, 1, 4>() <= kLeast && forward_bytes<kDim, 4, 2>() <= kLeast);
  if (call.shape.rows() <= kFewRows) {
    return forward_in_tiles<kDim, 1, 4>(backend, call);
  }
  if constexpr (forward_bytes<kDim, kManyRows, 4>() > kLeast) {
    if (!fits(backend, forward_bytes<kDim, kManyRows, 4>())) {
      return forward_in_tiles<kDim, 4, 2>(backend, call);
    }
  }
  forward_in_tiles<kDim, kManyRows, 4>(backend, call);
}

void forward_in_rows(Backend& backend, AttentionCall call) {
  call.shape.packed = 1;
  const AttentionShape& shape = call.shape;
  launch(backend,
         {.op = call.op,
          .grid = blocks_for(shape.batch * shape.queries * shape.heads, 1),
          .block = kAttentionThreads,
          .shared_bytes = wide_forward_bytes(shape.head_dim)},
         attention_wide_kernel, shape, call.q, call.k, call.v, call.out, call.lse);
}

}  // namespace

float attention_scale(std::int64_t head_dim) {
  return static_cast<float>(1.0 / std::sqrt(static_cast<double>(head_dim)));
}

void run_attention_forward(Backend& backend, const AttentionCall& call) {
  const int width = call.shape.head_dim;
  if (call.shape.rows() == 0 || call.shape.batch == 0) {
    return;
  }
  if (call.shape.rows() > kFewRows && on_tensor_cores(backend, width)) {
    forward_on_tensor_cores(backend, call);
  } else if (width <= 32) {
    forward_of_width<32>(backend, call);
  } else if (width <= 64) {
    forward_of_width<64>(backend, call);
  } else if (width <= 96) {
    forward_of_width<96>(backend, call);
  } else if (width <= 128) {
    forward_of_width<128>(backend, call);
  } else if (width <= kWidestTile) {
    forward_of_width<kWidestTile>(backend, call);
  } else {
    forward_in_rows(backend, call);
  }
}

void attention_forward(Backend& backend, const AttentionForwardArgs& args) {
  const std::int64_t head_dim = args.q.cols() / args.heads;
  run_attention_forward(
      backend, {.op = "attention_forward",
                .shape = {.batch = args.q.shape[0],
                          .queries = args.q.shape[1],
                          .keys = args.k.shape[1],
                          .heads = static_cast<int>(args.heads),
                          .kv_heads = static_cast<int>(args.kv_heads),
                          .head_dim = static_cast<int>(head_dim),
                          .scale = attention_scale(head_dim),
                          .first_key = args.first_key.defined() ? args.first_key.i32() : nullptr,
                          .causal = args.causal},
                .q = args.q.f32(),
                .k = args.k.f32(),
                .v = args.v.f32(),
                .out = args.out.f32(),
                .lse = args.lse.defined() ? args.lse.f32() : nullptr});
}

}  // namespace lathe::LATHE_GPU
