// SSF (Lian et al. 2022, arXiv 2210.08823): what a frozen linear slot makes, y0, becomes
// y = gamma y0 + beta, by elements. gamma and beta [out] are f32 and what is trained; gamma's
// gradient is the sum over rows of dy y0, so that y0 is there for backward, or what stands for it
// (VeLoRA, section 1.5 of its authors' code: the rebuilt y0^ takes its place).
#pragma once

#include <optional>
#include <vector>

#include "engine/nn/linear_plan.h"
#include "engine/nn/parameter.h"
#include "engine/nn/subtokens.h"

namespace lathe {

class ScaleShift {
 public:
  // Takes the memory. Precondition: plan.adapter.scale_shift.
  ScaleShift(Backend& backend, const LinearPlan& plan);

  // gamma = 1, beta = 0: y is what it was.
  void begin();

  // y [N, out] in place. Gives what stands for y0 where `kept`; undefined where y0 itself has to be
  // there for backward. `again`: as Subtokens::project() has it.
  Tensor forward(TensorRef y, bool kept, bool again);
  // Adds to both gradients; dmade = gamma dy. made: y0, or undefined where `subtokens` stand for
  // it. All [N, out].
  void backward(TensorRef made, TensorRef dy, TensorRef dmade, Tensor subtokens);

  // Null where y0 itself is there for backward.
  Subtokens* subtokens() { return subtokens_ ? &*subtokens_ : nullptr; }

  void append_parameters(std::vector<Parameter*>& out);

 private:
  Backend* backend_;
  Parameter gamma_, beta_;
  std::optional<Subtokens> subtokens_;
};

}  // namespace lathe
