// Attention on tensor cores: which kernel is for which width and rounding.
#include "engine/backend/cuda/attention_call.h"
#include "engine/backend/cuda/device/attention_tensor_backward.cuh"
#include "engine/backend/cuda/device/attention_tensor_forward.cuh"

namespace lathe::LATHE_GPU {
namespace {

constexpr std::int64_t kWidest = 128;

// Of 128 columns only half as many keys at a time, so that all sums stay in registers.
template <int kDim>
constexpr int kKeysOf = kDim <= 64 ? 64 : 32;

template <typename Format, int kDim>
void forward(Backend& backend, const AttentionCall& call) {
  using Tile = TensorForward<Format, kDim, kKeysOf<kDim>>;
  static_assert(Tile::kBytes <= GpuBackend::kLeastSharedBytes);
  const AttentionShape& shape = call.shape;
  const std::int64_t sets = shape.heads / shape.packed;
  launch(backend,
         {.op = call.op,
          .grid = blocks_for(blocks_for(shape.rows(), Tile::kTile) * sets * shape.batch, 1),
          .block = kAttentionThreads,
          .shared_bytes = Tile::kBytes},
         attention_tensor_kernel<Format, kDim, kKeysOf<kDim>>, shape, call.q, call.k, call.v,
         call.out, call.lse);
}

template <typename Format, int kDim, int kOthers = kKeysOf<kDim>>
void backward(Backend& backend, const AttentionShape& shape, const AttentionGradients& given) {
  using Tile = TensorBackward<Format, kDim, kOthers>;
  if constexpr (Tile::kBytes > GpuBackend::kLeastSharedBytes) {
    static_assert(kOthers > kEdge);
    if (!fits(backend, Tile::kBytes)) {
      return backward<Format, kDim, kOthers / 2>(backend, shape, given);
    }
  }
  KernelCall call{
      .op = "attention_backward",
      .grid = blocks_for(blocks_for(shape.keys, Tile::kTile) * shape.batch * shape.kv_heads, 1),
      .block = kAttentionThreads,
      .shared_bytes = Tile::kBytes};
  launch(backend, call, attention_tensor_dkv_kernel<Format, kDim, kOthers>, shape, given);
  call.grid = blocks_for(blocks_for(shape.queries, Tile::kTile) * shape.batch * shape.heads, 1);
  launch(backend, call, attention_tensor_dq_kernel<Format, kDim, kOthers>, shape, given);
}

template <typename Format>
void forward_of_width(Backend& backend, const AttentionCall& call) {
  if (call.shape.head_dim <= 32) {
    forward<Format, 32>(backend, call);
  } else if (call.shape.head_dim <= 64) {
    forward<Format, 64>(backend, call);
  } else {
    forward<Format, kWidest>(backend, call);
  }
}

template <typename Format>
void backward_of_width(Backend& backend, const AttentionShape& shape,
                       const AttentionGradients& given) {
  if (shape.head_dim <= 32) {
    backward<Format, 32>(backend, shape, given);
  } else if (shape.head_dim <= 64) {
    backward<Format, 64>(backend, shape, given);
  } else {
    backward<Format, kWidest>(backend, shape, given);
  }
}

}  // namespace

bool on_tensor_cores(const Backend& backend, std::int64_t head_dim) {
  return backend.info().products != ProductPrecision::kF32 && head_dim <= kWidest;
}

void forward_on_tensor_cores(Backend& backend, const AttentionCall& call) {
  if (backend.info().products == ProductPrecision::kBf16) {
    forward_of_width<Bf16Format>(backend, call);
  } else {
    forward_of_width<Tf32Format>(backend, call);
  }
}

void backward_on_tensor_cores(Backend& backend, const AttentionShape& shape,
                              const AttentionGradients& given) {
  if (backend.info().products == ProductPrecision::kBf16) {
    backward_of_width<Bf16Format>(backend, shape, given);
  } else {
    backward_of_width<Tf32Format>(backend, shape, given);
  }
}

}  // namespace lathe::LATHE_GPU
