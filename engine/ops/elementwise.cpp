// Ops that go over elements one by one: shape rules and costs.
#include "engine/ops/op_table.h"
#include "engine/ops/shape_rules.h"

namespace lathe {

void validate(const AddArgs& args) {
  check_f32(args.a);
  check_f32(args.b);
  check_f32(args.out);
  check_same_size(args.a, args.b);
  check_same_size(args.a, args.out);
}

OpCost cost(const AddArgs& args) {
  const double n = double(args.out.elements());
  return {.flops = n, .bytes = 12.0 * n};
}

void validate(const BiasAddArgs& args) {
  check_f32(args.x);
  check_elements(args.bias, args.x.cols());
}

OpCost cost(const BiasAddArgs& args) {
  const double n = double(args.x.elements());
  return {.flops = n, .bytes = 8.0 * n};
}

void validate(const BiasBackwardArgs& args) {
  check_f32(args.dy);
  check_elements(args.dbias, args.dy.cols());
}

OpCost cost(const BiasBackwardArgs& args) {
  const double n = double(args.dy.elements());
  return {.flops = n, .bytes = 4.0 * n};
}

void validate(const ColumnScaleArgs& args) {
  check_f32(args.x);
  check_f32(args.y);
  check_same_matrix(args.x, args.y);
  check_elements(args.gain, args.x.cols());
  if (args.shift.defined()) {
    check_elements(args.shift, args.x.cols());
  }
}

OpCost cost(const ColumnScaleArgs& args) {
  const double n = double(args.x.elements());
  return {.flops = args.shift.defined() ? 2.0 * n : n, .bytes = 8.0 * n};
}

void validate(const ColumnDotArgs& args) {
  check_f32(args.a);
  check_f32(args.b);
  check_same_matrix(args.a, args.b);
  check_elements(args.sums, args.a.cols());
}

OpCost cost(const ColumnDotArgs& args) {
  const double n = double(args.a.elements());
  return {.flops = 2.0 * n, .bytes = 8.0 * n};
}

void validate(const ScaleArgs& args) {
  check_f32(args.x);
}

OpCost cost(const ScaleArgs& args) {
  const double n = double(args.x.elements());
  return {.flops = n, .bytes = 8.0 * n};
}

void validate(const CopyArgs& args) {
  CHECK(args.from.defined() && args.from.dtype == args.to.dtype, "copy: the types differ");
  check_same_size(args.from, args.to);
  check_distinct(args.from, args.to);
}

OpCost cost(const CopyArgs& args) {
  return {.flops = 0, .bytes = 2.0 * double(args.to.bytes())};
}

void validate(const FillArgs& args) {
  check_f32(args.out);
}

OpCost cost(const FillArgs& args) {
  return {.flops = 0, .bytes = double(args.out.bytes())};
}

void validate(const DropoutArgs& args) {
  check_f32(args.x);
  check_f32(args.y);
  check_same_size(args.x, args.y);
  CHECK(args.rate >= 0 && args.rate < 1, "dropout leaves something");
  if (args.adds) {
    check_distinct(args.x, args.y);
  }
  if (args.step_at.defined()) {
    check_sums(args.step_at, 1);
  }
}

OpCost cost(const DropoutArgs& args) {
  const double n = double(args.x.elements());
  return {.flops = args.adds ? 2.0 * n : n, .bytes = args.adds ? 12.0 * n : 8.0 * n};
}

void validate(const RandomFillArgs& args) {
  check_f32(args.out);
}

OpCost cost(const RandomFillArgs& args) {
  return {.flops = 0, .bytes = double(args.out.bytes())};
}

}  // namespace lathe
