// SwiGLU and the plain activations: shape rules and costs.
#include "engine/ops/op_table.h"
#include "engine/ops/shape_rules.h"

namespace lathe {

void validate(const SwigluForwardArgs& args) {
  check_f32(args.gate);
  check_f32(args.up);
  check_f32(args.h);
  check_same_size(args.gate, args.up);
  check_same_size(args.gate, args.h);
}

OpCost cost(const SwigluForwardArgs& args) {
  const double n = double(args.h.elements());
  return {.flops = 5.0 * n, .bytes = 12.0 * n};
}

void validate(const SwigluBackwardArgs& args) {
  for (const TensorRef& x : {args.dh, args.gate, args.up, args.dgate, args.dup}) {
    check_f32(x);
    check_same_size(x, args.dh);
  }
  if (args.h.defined()) {
    check_elements(args.h, args.dh.elements());
  }
}

OpCost cost(const SwigluBackwardArgs& args) {
  const double n = double(args.dh.elements());
  return {.flops = 12.0 * n, .bytes = (args.h.defined() ? 24.0 : 20.0) * n};
}

void validate(const ActivationForwardArgs& args) {
  check_f32(args.x);
  check_f32(args.y);
  check_same_size(args.x, args.y);
}

OpCost cost(const ActivationForwardArgs& args) {
  const double n = double(args.x.elements());
  return {.flops = 4.0 * n, .bytes = 8.0 * n};
}

void validate(const ActivationBackwardArgs& args) {
  check_f32(args.x);
  check_f32(args.dy);
  check_f32(args.dx);
  check_same_size(args.x, args.dy);
  check_same_size(args.x, args.dx);
}

OpCost cost(const ActivationBackwardArgs& args) {
  const double n = double(args.x.elements());
  return {.flops = 6.0 * n, .bytes = 12.0 * n};
}

}  // namespace lathe
