// What an optimizer sees of a matrix's gradient under GaLore (Zhao et al. 2024, arXiv 2403.03507,
// algorithm 2): R, the part of G [out, in] along r orthonormal directions of its smaller side. With
// P [r, k], k = min(out, in), in its rows: R = G P^T [out, r] where in <= out, else P G [r, in].
// The optimizer moves R; the weight moves by that times P again, times alpha.
#pragma once

#include <cstdint>
#include <optional>
#include <string>

#include "engine/nn/linear_plan.h"
#include "engine/nn/parameter.h"

namespace lathe {

class GradientProjection {
 public:
  // Takes the memory of P, which is 0 until one is chosen. Precondition: 1 <= plan.rank <= k.
  GradientProjection(Backend& backend, const std::string& layer, const GalorePlan& plan,
                     const Shape& weight);

  // Whether the step after so many done chooses P anew, from the first gradient that is projected.
  bool chooses_after(std::int64_t steps_done) const { return steps_done % plan_.update_every == 0; }
  // Before each step's first pass.
  void begin_step(std::int64_t steps_done);

  // r = beta r + the projected gradient [out, in]. A gradient that is not finite chooses no P.
  void project(TensorRef gradient, TensorRef r, float beta);
  // weight [out, in] += alpha times what z, of R's shape, is of it.
  void add_back(TensorRef z, TensorRef weight) const;
  Shape projected_shape() const;

  // Of a plan per layer: the gradient of the weight joins R and gives its memory back.
  bool per_layer() const { return plan_.per_layer; }
  void take_gradient(Parameter& weight);
  // R, the sum over the passes of a step; undefined before the first.
  TensorRef gradient() const { return gradient_; }
  void drop_gradient() { gradient_.reset(); }

  // P.
  TensorRef basis() const { return basis_; }
  std::string name() const { return layer_ + ".projection"; }
  // |R|^2 / |G|^2 of the gradient that chose P, where the step begun last has done so.
  std::optional<double> kept_energy() const { return kept_energy_; }

 private:
  void choose(TensorRef gradient);

  Backend* backend_;
  std::string layer_;
  GalorePlan plan_;
  std::int64_t out_, in_;
  Tensor basis_;
  Tensor gradient_;
  bool chooses_ = false;
  std::optional<double> kept_energy_;
};

}  // namespace lathe
