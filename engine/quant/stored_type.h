// How numbers are stored in model files: the tensors' own types (engine/tensor/dtype.h) by the
// names and numbers that files use.
#pragma once

#include <array>
#include <cstdint>
#include <optional>
#include <string_view>

#include "engine/tensor/dtype.h"
#include "engine/tensor/matrix_bytes.h"

namespace lathe {

// The types of tensors but for i32, f64 and u8, the last of them.
using StoredType = DType;
inline constexpr int kStoredTypeCount = kDTypeCount - 3;
static_assert(static_cast<int>(DType::kI32) == kStoredTypeCount);

struct StoredTypeInfo {
  std::string_view name;  // as on the command line
  std::int64_t block_elements = 1;
  std::int64_t block_bytes = 0;
  std::uint32_t ggml_id = 0;  // in GGUF files; kNotOfGgml where those have no such type
};
inline constexpr std::uint32_t kNotOfGgml = ~std::uint32_t{0};

constexpr StoredTypeInfo info_of(StoredType type) {
  constexpr std::array<std::uint32_t, 11> kGgmlIds{0, 1, 30, 8, 2, 3, 6, 7, 12, 13, 14};
  const DTypeLayout layout = dtype_layout(type);
  const auto index = static_cast<std::size_t>(type);
  return {layout.name, layout.block_elements, layout.block_bytes,
          index < kGgmlIds.size() ? kGgmlIds[index] : kNotOfGgml};
}

// Whether no other program's formats have a name for the type: nf4, intB_gG and those with tables.
constexpr bool is_ours(StoredType type) {
  return type >= StoredType::kNf4 && type < StoredType::kI32;
}

// None for an id that is not known here.
constexpr std::optional<StoredType> stored_type_of_ggml(std::uint32_t id) {
  for (int i = 0; i < kStoredTypeCount && id != kNotOfGgml; ++i) {
    const auto type = static_cast<StoredType>(i);
    if (info_of(type).ggml_id == id) {
      return type;
    }
  }
  return std::nullopt;
}

constexpr std::optional<StoredType> stored_type_of_name(std::string_view name) {
  for (int i = 0; i < kStoredTypeCount; ++i) {
    const auto type = static_cast<StoredType>(i);
    if (info_of(type).name == name) {
      return type;
    }
  }
  return std::nullopt;
}

// Bytes of `elements` of a row. Precondition: whole blocks, a type without tables.
constexpr std::int64_t stored_bytes(StoredType type, std::int64_t elements) {
  return size_bytes(type, elements);
}

}  // namespace lathe
