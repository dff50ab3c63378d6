// What the cases of both directions of the activations share.
#pragma once

#include "tests/conformance/case.h"

namespace lathe::conformance {

inline constexpr std::array kActivations{Activation::kNone, Activation::kRelu,
                                         Activation::kGelu, Activation::kSilu,
                                         Activation::kTanh, Activation::kGeluTanh};
double plain_activation(Activation kind, double x);
// From -12 to 12, never zero, where ReLU has no slope.
std::vector<double> activation_points(std::int64_t count);

}  // namespace lathe::conformance
