// Attention forward as both ops of that kind call it.
#pragma once

#include "engine/backend/cuda/device/attention_gradients.cuh"
#include "engine/backend/cuda/launch.h"

namespace lathe::LATHE_GPU {

// Heads up to this width are padded to a width that there are tiles for.
inline constexpr int kWidestTile = 256;

// Whether a block may have so much shared memory: of tiles for wide heads, two sizes are built.
inline bool fits(Backend& backend, std::size_t shared_bytes) {
  return shared_bytes <= gpu(backend).shared_limit_bytes();
}

// The rule of AttentionShape::scale.
float attention_scale(std::int64_t head_dim);

struct AttentionCall {
  const char* op;  // for messages
  AttentionShape shape;
  const float *q, *k, *v;
  float *out, *lse;
  // Where the keys may be split over blocks, and floats there.
  float* partial = nullptr;
  std::int64_t room = 0;
};
void run_attention_forward(Backend& backend, const AttentionCall& call);

// Whether heads of that width are for tensor cores, where the back end rounds factors.
bool on_tensor_cores(const Backend& backend, std::int64_t head_dim);
void forward_on_tensor_cores(Backend& backend, const AttentionCall& call);
// dq holds the deltas.
void backward_on_tensor_cores(Backend& backend, const AttentionShape& shape,
                              const AttentionGradients& given);

}  // namespace lathe::LATHE_GPU
