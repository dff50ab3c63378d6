// The factor of cross_entropy's gradient, for back ends in host memory.
#pragma once

#include "engine/ops/op_args.h"

namespace lathe {

inline float gradient_scale(const CrossEntropyArgs& args) {
  return args.scale_at.defined() ? static_cast<float>(*args.scale_at.f64()) : args.grad_scale;
}

}  // namespace lathe
