// Element types of tensors: plain numbers, and the block types in which models are stored. A block
// type keeps runs of 32 or 256 neighbouring elements of a row as one block of bytes. No weight is
// an i32, which is for tokens and positions, or an f64, which is for sums over many elements.
#pragma once

#include <array>
#include <cstdint>
#include <string_view>

namespace lathe {

// The block types are those of ggml, byte for byte (engine/quant/block_codec.h).
enum class DType : std::uint8_t {
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
  kQ6_K,
  kI32,
  kF64
};
inline constexpr int kDTypeCount = 13;

// How a type lies in memory; an element that stands alone is a block of one.
struct DTypeLayout {
  std::string_view name;
  std::int64_t block_elements = 1;
  std::int64_t block_bytes = 4;
};

constexpr DTypeLayout dtype_layout(DType dtype) {
  constexpr std::array<DTypeLayout, kDTypeCount> kLayouts{{{"f32", 1, 4},
                                                           {"f16", 1, 2},
                                                           {"bf16", 1, 2},
                                                           {"q8_0", 32, 34},
                                                           {"q4_0", 32, 18},
                                                           {"q4_1", 32, 20},
                                                           {"q5_0", 32, 22},
                                                           {"q5_1", 32, 24},
                                                           {"q4_k", 256, 144},
                                                           {"q5_k", 256, 176},
                                                           {"q6_k", 256, 210},
                                                           {"i32", 1, 4},
                                                           {"f64", 1, 8}}};
  return kLayouts[static_cast<std::size_t>(dtype)];
}

constexpr std::string_view dtype_name(DType dtype) {
  return dtype_layout(dtype).name;
}

// True for what is stored in fewer bits than the engine computes in: f16, bf16 and the block types.
constexpr bool is_packed(DType dtype) {
  return dtype != DType::kF32 && dtype < DType::kI32;
}

// Bytes of `elements` neighbours that begin at the start of a block and end at the end of one.
constexpr std::int64_t size_bytes(DType dtype, std::int64_t elements = 1) {
  const DTypeLayout layout = dtype_layout(dtype);
  return elements / layout.block_elements * layout.block_bytes;
}

}  // namespace lathe
