// Rotary position embedding: shape rule and cost.
#include "engine/ops/op_table.h"
#include "engine/ops/shape_rules.h"

namespace lathe {

void validate(const RopeArgs& args) {
  check_f32(args.x);
  CHECK(args.x.shape.rank() == 3, "rope: x is [B, T, heads * head_dim]");
  CHECK(args.heads > 0 && args.x.cols() % (2 * args.heads) == 0,
        "rope: heads must divide the width into even head widths");
  if (args.positions.defined()) {
    check_i32(args.positions);
    CHECK(args.positions.elements() == args.x.rows(), "rope: one position a row");
  }
  CHECK(args.first_position >= 0, "rope: a position is not negative");
}

OpCost cost(const RopeArgs& args) {
  const double n = double(args.x.elements());
  return {.flops = 3.0 * n, .bytes = 8.0 * n};
}

}  // namespace lathe
