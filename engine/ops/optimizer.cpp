// The optimizer's ops: shape rules and costs.
#include "engine/ops/op_table.h"
#include "engine/ops/shape_rules.h"

namespace lathe {

void validate(const SumSquaresArgs& args) {
  for (const TensorRef& x : args.x) {
    check_f32(x);
  }
  check_sums(args.sums, static_cast<std::int64_t>(args.x.size()));
  check_sums(args.total, 1);
}

OpCost cost(const SumSquaresArgs& args) {
  OpCost sum;
  for (const TensorRef& x : args.x) {
    sum.flops += 2.0 * double(x.elements());
    sum.bytes += double(x.bytes());
  }
  return sum;
}

namespace {

bool is_coded(const MomentRef& moment) {
  return moment.values.defined() && moment.values.dtype == DType::kU8;
}

void check_moment(const MomentRef& moment, const AdamwTensor& tensor) {
  check_same_size(moment.values, tensor.weight);
  if (is_coded(moment)) {
    check_elements(moment.absmax, blocks_of_moment(tensor.weight.elements()));
  } else {
    check_f32(moment.values);
    CHECK(!moment.absmax.defined(), "adamw_step: a moment in f32 has no absmax");
  }
}

}  // namespace

void validate(const AdamwStepArgs& args) {
  for (const AdamwTensor& tensor : args.tensors) {
    check_f32(tensor.gradient);
    check_same_size(tensor.gradient, tensor.weight);
    check_moment(tensor.m, tensor);
    check_moment(tensor.v, tensor);
    CHECK(is_coded(tensor.m) == is_coded(tensor.v), "adamw_step: both moments in f32 or in codes");
    const bool rounded = tensor.weight.defined() && tensor.weight.dtype == DType::kBf16;
    CHECK(rounded || tensor.weight.dtype == DType::kF32, "adamw_step: a weight of f32 or bf16");
    if (tensor.master.defined()) {
      CHECK(rounded, "adamw_step: only a bf16 weight has a master");
      check_f32(tensor.master);
      check_same_size(tensor.master, tensor.weight);
    }
  }
  check_sums(args.squares, 1);
  check_sums(args.refused, 1);
  CHECK(!args.loss.defined() || (args.loss.dtype == DType::kF64 && args.loss.elements() == 1),
        "adamw_step: the loss is one f64");
  if (args.values.defined()) {
    check_sums(args.values, kUpdateValues);
  }
  CHECK(args.step >= 1, "adamw_step: the first step is 1");
}

// Gradient read, moments read and written, the weight read (or its master) and written.
OpCost cost(const AdamwStepArgs& args) {
  OpCost sum;
  for (const AdamwTensor& tensor : args.tensors) {
    const double n = double(tensor.weight.elements());
    sum.flops += 14.0 * n;
    sum.bytes += 4.0 * n + (tensor.master.defined() ? 8.0 * n + double(tensor.weight.bytes())
                                                    : 2.0 * double(tensor.weight.bytes()));
    for (const MomentRef& moment : {tensor.m, tensor.v}) {
      sum.bytes += 2.0 * double(moment.values.bytes() +
                                (moment.absmax.defined() ? moment.absmax.bytes() : 0));
    }
  }
  return sum;
}

}  // namespace lathe
