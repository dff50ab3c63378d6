// What stands for the input of a matrix in backward (VeLoRA, arXiv 2405.17991, algorithm 1): a row
// x [in] is cut into g sub-tokens of M = in / g neighbours, and z [g] has the product of each with
// a direction v [M] of length 1. The gradient of W [out, in] is then that of x^ = z v^T in the
// place of x, times a scale: (dy^T z) v^T, a product M times smaller than the exact one.
#pragma once

#include <cstdint>
#include <string>

#include "engine/nn/linear_plan.h"
#include "engine/nn/parameter.h"

namespace lathe {

// What a probe sums the squares of, f64 [6]: an input and its projections, and of both together;
// U = dy^T z, which is as long as the projected gradient, and the exact one, and both.
inline constexpr std::int64_t kSubtokenSquares = 6;

class Subtokens {
 public:
  // Takes the memory of v. Precondition: plan.groups divides `in`.
  Subtokens(Backend& backend, const std::string& layer, const SubtokenPlan& plan, std::int64_t in);

  // v becomes random by (seed, stream), or nothing: then the first input that is projected gives
  // it.
  void begin(std::uint64_t seed, std::uint64_t stream);

  // Of the z that are kept: f32, or bf16, to which they are then rounded.
  void keep_as(DType type) { kept_type_ = type; }

  // z [N, g] of x [N, in]. Before, v is drawn from x or follows it where the plan says so; not if
  // x is `again` what the last one was.
  Tensor project(TensorRef x, bool again);

  // Adds to the gradient of `weight` [out, in] by dy [N, out] and what project() gave. x is that
  // input, and not read unless probed.
  void add_gradient(Parameter& weight, TensorRef dy, Tensor z, TensorRef x);

  // x^ [N, in] of what project() gave, for a gradient that is no matrix's.
  Tensor rebuilt(Tensor z, std::int64_t in);
  double scale() const { return plan_.scale; }

  // As long as `sums` is defined passes leave the squares of kSubtokenSquares there, and v stays
  // what it is.
  void probe_into(TensorRef sums) { probe_ = sums; }
  bool probed() const { return probe_.defined(); }

  // f32 [M]; of length 1, or 0 as long as there is none.
  TensorRef direction() const { return v_; }
  std::string name() const { return layer_ + ".direction"; }
  const std::string& layer() const { return layer_; }

 private:
  Tensor floats(Tensor z);
  void draw(TensorRef subtokens);
  void follow_mean(TensorRef subtokens, double decay);
  void take_leading(TensorRef subtokens);
  // Squares of a and b to places first and first + 1.
  void measure(std::int64_t first, TensorRef a, TensorRef b);
  void measure_gradient(TensorRef dy, TensorRef z, TensorRef x);
  bool is_drawn() const;

  Backend* backend_;
  std::string layer_;
  SubtokenPlan plan_;
  Tensor v_;
  DType kept_type_ = DType::kF32;
  bool drawn_ = false;  // known to the host to be
  TensorRef probe_ = {};
};

}  // namespace lathe
