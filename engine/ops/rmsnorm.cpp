// RMSNorm: shape rules and costs.
#include "engine/ops/op_table.h"
#include "engine/ops/shape_rules.h"

namespace lathe {

void validate(const RmsnormForwardArgs& args) {
  check_same_matrix(args.x, args.y);
  check_elements(args.gain, args.x.cols());
  check_distinct(args.x, args.y);
  if (args.rstd.defined()) {
    check_elements(args.rstd, args.x.rows());
  }
}

OpCost cost(const RmsnormForwardArgs& args) {
  const double n = double(args.x.elements());
  return {.flops = 4.0 * n, .bytes = 8.0 * n};
}

void validate(const RmsnormBackwardArgs& args) {
  check_same_matrix(args.x, args.dy);
  check_same_matrix(args.x, args.dx);
  check_elements(args.gain, args.x.cols());
  check_elements(args.dgain, args.x.cols());
  check_elements(args.rstd, args.x.rows());
  check_distinct(args.dx, args.x);
  check_distinct(args.dx, args.dy);
  if (args.dx_add.defined()) {
    check_same_matrix(args.x, args.dx_add);
  }
}

OpCost cost(const RmsnormBackwardArgs& args) {
  const double n = double(args.x.elements());
  return {.flops = 9.0 * n, .bytes = (args.dx_add.defined() ? 16.0 : 12.0) * n};
}

}  // namespace lathe
