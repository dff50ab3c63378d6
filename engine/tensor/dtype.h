// Element types of tensors.
#pragma once

#include <cstdint>
#include <string_view>

namespace lathe {

enum class DType : std::uint8_t { kF32, kI32 };

constexpr std::int64_t size_bytes(DType dtype) {
  switch (dtype) {
    case DType::kF32:
    case DType::kI32:
      return 4;
  }
  return 0;
}

constexpr std::string_view dtype_name(DType dtype) {
  switch (dtype) {
    case DType::kF32:
      return "f32";
    case DType::kI32:
      return "i32";
  }
  return "?";
}

}  // namespace lathe
