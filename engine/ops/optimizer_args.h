// The arguments of the ops of an optimizer's step. Each takes all tensors of a model in one call,
// and what the step hangs on, the norm of the gradients and the loss, is read where it lies, so
// that the host need not wait for it. The conventions are those of op_args.h.
#pragma once

#include <cstdint>
#include <span>

#include "engine/ops/update_values.h"
#include "engine/tensor/tensor.h"

namespace lathe {

// sums[i] = the sum of squares of x[i], total = that of all of them, accumulated in double in an
// order that the sizes alone decide. x: f32; sums: f64 [x.size()]; total: f64 [1].
struct SumSquaresArgs {
  std::span<const TensorRef> x;
  TensorRef sums, total;
};

// A moment of a weight. values: f32; or u8, codes of a dynamic map (engine/quant/dynamic_map.h; the
// first moment's is signed, the second's unsigned), which times the absmax of their block are the
// moment. absmax: then f32 [blocks_of_moment(elements)], else undefined.
struct MomentRef {
  TensorRef values;
  TensorRef absmax = {};
};
inline constexpr std::int64_t kMomentBlock = 256;  // neighbours that share an absmax
constexpr std::int64_t blocks_of_moment(std::int64_t elements) {
  return (elements + kMomentBlock - 1) / kMomentBlock;
}

// A weight with what its update needs, all of one size. weight: f32 or bf16; gradient, master: f32.
// m and v, first and second moment, are both f32 or both u8.
struct AdamwTensor {
  TensorRef weight, gradient;
  MomentRef m, v;
  // Of a bf16 weight where it has one: what is updated, and whose nearest bf16 the weight becomes.
  TensorRef master = {};
  bool decays = true;
};

// AdamW (Loshchilov & Hutter 2019, algorithm 2), decoupled decay; bias corrections are those of
// `step` (1 for the first). First g *= min(1, clip_norm / norm) where
// clip_norm > 0 (Pascanu et al. 2013), norm = sqrt(squares), squares: f64 [1].
// refused: f64 [1]. Where it is not 0, or squares or loss (f64 [1], may be undefined) are not
// finite, it becomes 1 and nothing else is written; so steps that are issued before the host has
// seen a bad one leave the weights alone.
// A bf16 weight without a master is rounded at random, up with the probability of the part that is
// cut off (Gupta et al. 2015, section 3): by the 16 bits that rounding_stream() gives to element i
// of the tensors laid one behind the other, each from a multiple of kRoundingElements on.
// Moments in 8 bits (Dettmers et al. 2022, arXiv 2110.02861) become f32, are updated and move the
// weight as such. Each block's largest size is then its new absmax, at most the largest float, and
// each element over it becomes the nearest code of its sign, 0 alone that of 0. So a moment keeps
// its sign, and no v is lost where m is not, which would divide it by eps alone. bitsandbytes lets
// small v and small positive m become 0, decays after the step, and skips elements whose gradient
// is not finite; here decay is that of algorithm 2 and the whole step is refused, as in f32.
struct AdamwStepArgs {
  std::span<const AdamwTensor> tensors;
  TensorRef squares, loss, refused;
  // UpdateValues as f64 [kUpdateValues]; where defined, lr, weight_decay, clip_norm and step are
  // its.
  TensorRef values = {};
  float lr = 1e-3f;
  float beta1 = 0.9f;
  float beta2 = 0.95f;
  float eps = 1e-8f;
  float weight_decay = 0.0f;  // of those that decay
  double clip_norm = 0.0;
  std::int64_t step = 1;
  std::uint64_t seed = 0;
};

// Random bits of rounding come for so many neighbours at a time: half j of the words of
// philox(seed, rounding_stream(step), element / kRoundingElements), lower halves first.
inline constexpr std::int64_t kRoundingElements = 8;
constexpr std::uint64_t rounding_stream(std::int64_t step) {
  return kRoundingStreams + static_cast<std::uint64_t>(step);
}
// Where the tensor behind one that begins at `first` begins.
constexpr std::int64_t next_rounding_place(std::int64_t first, std::int64_t elements) {
  return first + (elements + kRoundingElements - 1) / kRoundingElements * kRoundingElements;
}

}  // namespace lathe
