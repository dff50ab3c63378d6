// Layer norm: shape rules and costs.
#include "engine/ops/op_table.h"
#include "engine/ops/shape_rules.h"

namespace lathe {

void validate(const LayernormForwardArgs& args) {
  check_same_matrix(args.x, args.y);
  check_elements(args.gain, args.x.cols());
  check_distinct(args.x, args.y);
  if (args.bias.defined()) {
    check_elements(args.bias, args.x.cols());
  }
  for (const TensorRef& row_value : {args.mean, args.rstd}) {
    if (row_value.defined()) {
      check_elements(row_value, args.x.rows());
    }
  }
}

OpCost cost(const LayernormForwardArgs& args) {
  const double n = double(args.x.elements());
  return {.flops = 7.0 * n, .bytes = 8.0 * n};
}

void validate(const LayernormBackwardArgs& args) {
  check_same_matrix(args.x, args.dy);
  check_same_matrix(args.x, args.dx);
  check_elements(args.gain, args.x.cols());
  check_elements(args.dgain, args.x.cols());
  check_elements(args.mean, args.x.rows());
  check_elements(args.rstd, args.x.rows());
  check_distinct(args.dx, args.x);
  check_distinct(args.dx, args.dy);
  if (args.dbias.defined()) {
    check_elements(args.dbias, args.x.cols());
  }
  if (args.dx_add.defined()) {
    check_same_matrix(args.x, args.dx_add);
  }
}

OpCost cost(const LayernormBackwardArgs& args) {
  const double n = double(args.x.elements());
  return {.flops = 13.0 * n, .bytes = (args.dx_add.defined() ? 16.0 : 12.0) * n};
}

}  // namespace lathe
