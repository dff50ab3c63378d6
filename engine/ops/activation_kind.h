// The elementwise functions that a layer may apply; kGeluTanh is the approximation of GELU by tanh
// (Hendrycks & Gimpel 2016) that GPT-2 uses. Apart from op_args.h so that kernels which are
// compiled once per instruction set see no standard library code.
#pragma once

#include <cstdint>

namespace lathe {

enum class Activation : std::uint8_t { kNone, kRelu, kGelu, kSilu, kTanh, kGeluTanh };

}  // namespace lathe
