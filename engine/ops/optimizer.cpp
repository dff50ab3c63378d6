// AdamW: shape rule and cost.
#include "engine/ops/op_table.h"
#include "engine/ops/shape_rules.h"

namespace lathe {

void validate(const AdamwStepArgs& args) {
  for (const TensorRef& x : {args.weight, args.gradient, args.m, args.v}) {
    check_f32(x);
    check_same_size(x, args.weight);
  }
  CHECK(args.step >= 1, "adamw_step: the first step is 1");
}

OpCost cost(const AdamwStepArgs& args) {
  const double n = double(args.weight.elements());
  return {.flops = 14.0 * n, .bytes = 28.0 * n};
}

}  // namespace lathe
