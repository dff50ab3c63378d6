// VeLoRA's ops: shape rules and costs.
#include "engine/ops/op_table.h"
#include "engine/ops/shape_rules.h"

namespace lathe {
namespace {

// x [R, g M] cut into sub-tokens, `one` [R, g] with a number for each, `direction` [M].
void check_cut(const TensorRef& x, const TensorRef& one, const TensorRef& direction) {
  check_f32(x);
  check_f32(one);
  check_f32(direction);
  CHECK(x.rows() == one.rows(), "sub-tokens: matrices of equally many rows are expected");
  CHECK(x.cols() == one.cols() * direction.elements(),
        "sub-tokens: a row is a whole number of directions");
}

}  // namespace

void validate(const SubtokenProjectArgs& args) {
  check_cut(args.x, args.z, args.v);
  check_distinct(args.x, args.z);
}

OpCost cost(const SubtokenProjectArgs& args) {
  return {.flops = 2.0 * double(args.x.elements()),
          .bytes = 4.0 * double(args.x.elements() + args.z.elements())};
}

void validate(const SubtokenRebuildArgs& args) {
  check_cut(args.x, args.z, args.v);
  check_distinct(args.x, args.z);
}

OpCost cost(const SubtokenRebuildArgs& args) {
  const double passes = args.beta == 0.0f ? 1.0 : 2.0;
  return {.flops = passes * double(args.x.elements()),
          .bytes = 4.0 * (passes * double(args.x.elements()) + double(args.z.elements()))};
}

void validate(const SubtokenDirectionArgs& args) {
  check_f32(args.v);
  check_elements(args.sums, args.v.elements());
  CHECK(args.count > 0, "subtoken_direction: sums are of sub-tokens");
  CHECK(args.decay >= 0.0f && args.decay < 1.0f, "subtoken_direction: a decay below 1");
}

OpCost cost(const SubtokenDirectionArgs& args) {
  return {.flops = 6.0 * double(args.v.elements()), .bytes = 12.0 * double(args.v.elements())};
}

void validate(const AdamwSubtokenStepArgs& args) {
  for (const SubtokenTensor& tensor : args.tensors) {
    check_cut(tensor.weight, tensor.gradient, tensor.direction);
    check_same_matrix(tensor.gradient, tensor.m);
    check_same_matrix(tensor.gradient, tensor.v);
  }
  CHECK(args.by.tensors.empty(), "adamw_subtoken_step: tensors are its own");
  validate(args.by);
}

// The weight read and written, all else of one number a sub-token.
OpCost cost(const AdamwSubtokenStepArgs& args) {
  OpCost sum;
  for (const SubtokenTensor& tensor : args.tensors) {
    sum.flops += 6.0 * double(tensor.weight.elements()) + 10.0 * double(tensor.gradient.elements());
    sum.bytes += 8.0 * double(tensor.weight.elements()) + 20.0 * double(tensor.gradient.elements());
  }
  return sum;
}

}  // namespace lathe
