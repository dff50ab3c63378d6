// To what matrix products round what they multiply; sums are in f32 always. The processor computes
// in f32, a device is many times faster with less.
#pragma once

#include <array>
#include <cstdint>
#include <string_view>

#include "engine/base/describe.h"

namespace lathe {

enum class ProductPrecision : std::uint8_t { kF32, kTf32, kBf16 };

template <>
struct EnumNames<ProductPrecision> {
  static constexpr std::array<std::string_view, 3> names{"f32", "tf32", "bf16"};
};

}  // namespace lathe
