// How numbers are stored in model files: plain types and the blocks of ggml (its ggml-common.h),
// with their sizes. A block is a run of elements along a row with shared scales.
#pragma once

#include <array>
#include <cstdint>
#include <optional>
#include <string_view>

namespace lathe {

enum class StoredType : std::uint8_t {
  kF32,
  kF16,
  kBf16,
  kQ8_0,
  kQ4_0,
  kQ4_1,
  kQ5_0,
  kQ5_1,
  kQ4_K,
  kQ5_K,
  kQ6_K
};
inline constexpr int kStoredTypeCount = 11;

struct StoredTypeInfo {
  std::string_view name;  // as on the command line
  std::int64_t block_elements = 1;
  std::int64_t block_bytes = 0;
  std::uint32_t ggml_id = 0;  // in GGUF files
};

inline constexpr std::array<StoredTypeInfo, kStoredTypeCount> kStoredTypes{
    {{"f32", 1, 4, 0},
     {"f16", 1, 2, 1},
     {"bf16", 1, 2, 30},
     {"q8_0", 32, 34, 8},
     {"q4_0", 32, 18, 2},
     {"q4_1", 32, 20, 3},
     {"q5_0", 32, 22, 6},
     {"q5_1", 32, 24, 7},
     {"q4_k", 256, 144, 12},
     {"q5_k", 256, 176, 13},
     {"q6_k", 256, 210, 14}}};

constexpr const StoredTypeInfo& info_of(StoredType type) {
  return kStoredTypes[static_cast<std::size_t>(type)];
}

// None for an id that is not known here.
constexpr std::optional<StoredType> stored_type_of_ggml(std::uint32_t id) {
  for (int i = 0; i < kStoredTypeCount; ++i) {
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

// Bytes of `elements` of a row. Precondition: whole blocks.
constexpr std::int64_t stored_bytes(StoredType type, std::int64_t elements) {
  return elements / info_of(type).block_elements * info_of(type).block_bytes;
}

}  // namespace lathe
