// How a back end rounds the factors of large products of f32 tensors on their way into its
// multipliers. Sums are f32 in all of them, and tensors stay f32. The processor computes in f32; a
// device is many times faster with less.
#pragma once

#include <array>
#include <cstdint>
#include <string_view>

#include "engine/base/describe.h"

namespace lathe {

enum class ProductPrecision : std::uint8_t {
  kF32,   // not at all
  kTf32,  // to 11 bits: relative errors up to 2^-11
  kBf16   // to 8 bits: relative errors up to 2^-8
};

template <>
struct EnumNames<ProductPrecision> {
  static constexpr std::array<std::string_view, 3> names{"f32", "tf32", "bf16"};
};

}  // namespace lathe
