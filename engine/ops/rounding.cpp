// Between f32 and bf16: shape rules and costs.
#include "engine/ops/op_table.h"
#include "engine/ops/shape_rules.h"

namespace lathe {
namespace {

void check_pair(const TensorRef& x, const TensorRef& bits) {
  check_f32(x);
  CHECK(bits.defined() && bits.dtype == DType::kBf16, "a bf16 tensor is expected");
  check_same_size(x, bits);
}

}  // namespace

void validate(const ToBf16Args& args) {
  check_pair(args.x, args.bits);
}

OpCost cost(const ToBf16Args& args) {
  return {.flops = 0, .bytes = 10.0 * double(args.x.elements())};
}

void validate(const FromBf16Args& args) {
  check_pair(args.x, args.bits);
}

OpCost cost(const FromBf16Args& args) {
  return {.flops = 0, .bytes = 6.0 * double(args.x.elements())};
}

}  // namespace lathe
