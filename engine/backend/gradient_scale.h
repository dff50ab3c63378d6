// The factor of the losses' gradients, for back ends in host memory. Args: CrossEntropyArgs,
// DistillLossArgs.
#pragma once

#include "engine/ops/op_args.h"

namespace lathe {

template <typename Args>
float gradient_scale(const Args& args) {
  return args.scale_at.defined() ? static_cast<float>(*args.scale_at.f64()) : args.grad_scale;
}

}  // namespace lathe
