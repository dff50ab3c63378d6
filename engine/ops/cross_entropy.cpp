// Softmax cross-entropy, alone and mixed with a teacher: shape rules and costs.
#include "engine/ops/op_table.h"
#include "engine/ops/shape_rules.h"

namespace lathe {

void validate(const CrossEntropyArgs& args) {
  check_f32(args.logits);
  check_i32(args.targets);
  CHECK(args.logits.rows() == args.targets.elements(), "cross_entropy: one target a row");
  CHECK(args.logits.cols() > 0, "cross_entropy: a row has at least one class");
  CHECK(!args.losses.defined() || args.losses.elements() == args.logits.rows(),
        "cross_entropy: one loss a row");
  CHECK(!args.argmax.defined() || args.argmax.elements() == args.logits.rows(),
        "cross_entropy: one argmax a row");
  check_sums(args.sums, kCrossEntropySums);
  if (args.scale_at.defined()) {
    check_sums(args.scale_at, 1);
  }
}

void validate(const DistillLossArgs& args) {
  check_same_matrix(args.logits, args.teacher);
  check_distinct(args.logits, args.teacher);
  check_i32(args.targets);
  CHECK(args.logits.rows() == args.targets.elements(), "distill_loss: one target a row");
  CHECK(args.logits.cols() > 0, "distill_loss: a row has at least one class");
  CHECK(args.weight >= 0.0f && args.weight <= 1.0f, "distill_loss: the weight is a share");
  CHECK(args.temperature > 0.0f, "distill_loss: the temperature is positive");
  check_sums(args.sums, kCrossEntropySums);
  if (args.scale_at.defined()) {
    check_sums(args.scale_at, 1);
  }
}

OpCost cost(const CrossEntropyArgs& args) {
  const double n = double(args.logits.elements());
  return {.flops = 5.0 * n, .bytes = (args.write_gradient ? 8.0 : 4.0) * n};
}

OpCost cost(const DistillLossArgs& args) {
  const double n = double(args.logits.elements());
  return {.flops = 16.0 * n, .bytes = 12.0 * n};
}

}  // namespace lathe
