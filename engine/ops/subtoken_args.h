// The arguments of VeLoRA's ops (Miles et al. 2024, arXiv 2405.17991, section 3.1): the rows of a
// matrix are cut into sub-tokens of M neighbours, g = columns / M to a row, and all of them are
// projected on one direction v of M numbers. The conventions are those of op_args.h.
#pragma once

#include <cstdint>
#include <span>

#include "engine/ops/optimizer_args.h"
#include "engine/tensor/tensor.h"

namespace lathe {

// z[i, j] = the sum over k of x[i, j M + k] v[k]. x: [N, g M]; v: [M]; z: [N, g].
struct SubtokenProjectArgs {
  TensorRef x, v, z;
};

// x[i, j M + k] = beta x[i, j M + k] + alpha z[i, j] v[k]; of beta 0 x is not read. Shapes as
// above.
struct SubtokenRebuildArgs {
  TensorRef z, v, x;
  float alpha = 1.0f;
  float beta = 0.0f;
};

// v = u / |u|, u = decay v + (1 - decay) sums / count; where |u| is 0, all of v becomes 1 /
// sqrt(M). sums, v: [M], may be one tensor; the length is summed in double. With sums over `count`
// sub-tokens v follows their mean.
struct SubtokenDirectionArgs {
  TensorRef sums, v;
  std::int64_t count = 1;
  float decay = 0.0f;
};

// A weight whose gradient is u v^T by sub-tokens, u [R, g], with the moments of u alone.
// weight: f32 [R, g M]; gradient, m, v: f32 [R, g]; direction: f32 [M].
struct SubtokenTensor {
  TensorRef weight, gradient, m, v, direction;
  bool decays = true;
};

// AdamW as AdamwStepArgs has it, of weights whose gradient g is gradient[i, j] direction[k]: as the
// direction is the same in all steps, the moments of g are those of u times direction[k] and its
// square, and so the weight moves by direction[k] mhat / (|direction[k]| sqrt(vhat) + eps).
// by.tensors is not used; a step is refused as there.
struct AdamwSubtokenStepArgs {
  std::span<const SubtokenTensor> tensors;
  AdamwStepArgs by = {};
};

}  // namespace lathe
