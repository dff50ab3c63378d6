// The elementwise functions that a layer may apply. Apart from op_args.h so that kernels which are
// compiled once per instruction set see no standard library code.
#pragma once

#include <cstdint>

namespace lathe {

enum class Activation : std::uint8_t { kNone, kRelu, kGelu, kSilu, kTanh };

}  // namespace lathe
