// Element types of tensors: plain numbers, and the block types in which weights are stored. A block
// type keeps runs of 32 to 256 neighbouring elements of a row as one block of bytes. No weight is
// an i32, which is for tokens and positions, an f64, which is for sums over many elements, or a u8,
// which is for codes whose table stands where they are read.
#pragma once

#include <array>
#include <cstdint>
#include <string_view>

namespace lathe {

// The block types from q8_0 to q6_k are those of ggml, byte for byte (engine/quant/block_codec.h).
// nf4: 4-bit codes for normal weights (QLoRA, arXiv 2305.14314, section 3), 64 to an f32 scale.
// intB_gG: levels of B bits, from 2 to 8, G of them, 32, 64 or 128, to an f16 scale and offset; one
// enumerator stands for all (group_dtype()).
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
  kNf4,
  kGroups,
  kI32 = kGroups + 21,
  kF64,
  kU8
};
inline constexpr int kDTypeCount = static_cast<int>(DType::kU8) + 1;

// The levels of an intB_gG.
struct GroupForm {
  int bits = 0;  // 0: another type
  int group = 0;
};
inline constexpr std::array kGroupSizes{32, 64, 128};
inline constexpr int kFewestGroupBits = 2, kMostGroupBits = 8;

constexpr GroupForm group_form(DType dtype) {
  const int index = static_cast<int>(dtype) - static_cast<int>(DType::kGroups);
  constexpr int kSizes = static_cast<int>(kGroupSizes.size());
  if (index < 0 || dtype >= DType::kI32) {
    return {};
  }
  return {kFewestGroupBits + index / kSizes, kGroupSizes[static_cast<std::size_t>(index % kSizes)]};
}

// f32 where there are no such groups.
constexpr DType group_dtype(int bits, int group) {
  for (int i = static_cast<int>(DType::kGroups); i < static_cast<int>(DType::kI32); ++i) {
    const GroupForm form = group_form(static_cast<DType>(i));
    if (form.bits == bits && form.group == group) {
      return static_cast<DType>(i);
    }
  }
  return DType::kF32;
}

// How a type lies in memory; an element that stands alone is a block of one.
struct DTypeLayout {
  std::string_view name;
  std::int64_t block_elements = 1;
  std::int64_t block_bytes = 4;
};

constexpr DTypeLayout dtype_layout(DType dtype) {
  constexpr std::array<DTypeLayout, static_cast<std::size_t>(DType::kGroups)> kLayouts{
      {{"f32", 1, 4},
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
       {"nf4", 64, 36}}};
  constexpr std::array<std::string_view, 21> kGroupNames{
      "int2_g32",  "int2_g64",  "int2_g128", "int3_g32",  "int3_g64",  "int3_g128", "int4_g32",
      "int4_g64",  "int4_g128", "int5_g32",  "int5_g64",  "int5_g128", "int6_g32",  "int6_g64",
      "int6_g128", "int7_g32",  "int7_g64",  "int7_g128", "int8_g32",  "int8_g64",  "int8_g128"};
  constexpr std::array<DTypeLayout, 3> kNoWeights{{{"i32", 1, 4}, {"f64", 1, 8}, {"u8", 1, 1}}};
  if (dtype >= DType::kI32) {
    return kNoWeights[static_cast<std::size_t>(dtype) - static_cast<std::size_t>(DType::kI32)];
  }
  if (const GroupForm form = group_form(dtype); form.bits > 0) {
    const auto index = static_cast<std::size_t>(dtype) - static_cast<std::size_t>(DType::kGroups);
    return {kGroupNames[index], form.group, 4 + form.group / 8 * form.bits};
  }
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
