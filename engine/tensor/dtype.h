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
//
// The last ones have tables (has_tables()): of a matrix in them, behind the codes of all rows, lie
// the numbers that several rows share (engine/quant/stored_matrix.h). int8_row: bytes, an f32 scale
// a row (LLM.int8, arXiv 2208.07339). nf4_dq: codes of nf4, their scales in 8 bits (QLoRA, double
// quantisation). spqr3, spqr4: levels of that many bits, sixteen to a scale and an offset of three
// bits, and outliers (SpQR, arXiv 2306.03078). paletteB and paletteB_dD: B bits, from 1 to 8, stand
// for D neighbours of a row, from 1 to 4, whose values a table has (DKM, arXiv 2108.12659); one
// enumerator stands for all (palette_dtype()).
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
  kInt8Row = kGroups + 21,
  kNf4Double,
  kSpqr3,
  kSpqr4,
  kPalettes,
  kI32 = kPalettes + 32,
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
  if (index < 0 || dtype >= DType::kInt8Row) {
    return {};
  }
  return {kFewestGroupBits + index / kSizes, kGroupSizes[static_cast<std::size_t>(index % kSizes)]};
}

// f32 where there are no such groups.
constexpr DType group_dtype(int bits, int group) {
  for (int i = static_cast<int>(DType::kGroups); i < static_cast<int>(DType::kInt8Row); ++i) {
    const GroupForm form = group_form(static_cast<DType>(i));
    if (form.bits == bits && form.group == group) {
      return static_cast<DType>(i);
    }
  }
  return DType::kF32;
}

constexpr bool has_tables(DType dtype) {
  return dtype >= DType::kInt8Row && dtype < DType::kI32;
}

// Bits of a level of spqr3 or spqr4; 0: another type.
constexpr int spqr_bits(DType dtype) {
  return dtype == DType::kSpqr3 ? 3 : dtype == DType::kSpqr4 ? 4 : 0;
}

// The codes of a paletteB_dD.
struct PaletteForm {
  int bits = 0;  // 0: another type
  int dim = 0;
};
inline constexpr int kMostPaletteBits = 8, kMostPaletteDim = 4;

constexpr PaletteForm palette_form(DType dtype) {
  const int index = static_cast<int>(dtype) - static_cast<int>(DType::kPalettes);
  if (index < 0 || dtype >= DType::kI32) {
    return {};
  }
  return {1 + index / kMostPaletteDim, 1 + index % kMostPaletteDim};
}

// Precondition: bits of 1 to 8, dim of 1 to 4.
constexpr DType palette_dtype(int bits, int dim) {
  return static_cast<DType>(static_cast<int>(DType::kPalettes) + (bits - 1) * kMostPaletteDim +
                            dim - 1);
}

// How a type lies in memory, without its tables; an element that stands alone is a block of one.
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
  constexpr std::array<DTypeLayout, 4> kTables{
      {{"int8_row", 32, 32}, {"nf4_dq", 64, 32}, {"spqr3", 64, 24}, {"spqr4", 64, 32}}};
  constexpr std::array<std::string_view, 32> kPaletteNames{
      "palette1",    "palette1_d2", "palette1_d3", "palette1_d4", "palette2",    "palette2_d2",
      "palette2_d3", "palette2_d4", "palette3",    "palette3_d2", "palette3_d3", "palette3_d4",
      "palette4",    "palette4_d2", "palette4_d3", "palette4_d4", "palette5",    "palette5_d2",
      "palette5_d3", "palette5_d4", "palette6",    "palette6_d2", "palette6_d3", "palette6_d4",
      "palette7",    "palette7_d2", "palette7_d3", "palette7_d4", "palette8",    "palette8_d2",
      "palette8_d3", "palette8_d4"};
  constexpr std::array<DTypeLayout, 3> kLast{{{"i32", 1, 4}, {"f64", 1, 8}, {"u8", 1, 1}}};
  if (dtype >= DType::kI32) {
    return kLast[static_cast<std::size_t>(dtype) - static_cast<std::size_t>(DType::kI32)];
  }
  if (const PaletteForm form = palette_form(dtype); form.bits > 0) {
    const auto index = static_cast<std::size_t>(dtype) - static_cast<std::size_t>(DType::kPalettes);
    return {kPaletteNames[index], 16 * form.dim, 2 * form.bits};
  }
  if (dtype >= DType::kInt8Row) {
    return kTables[static_cast<std::size_t>(dtype) - static_cast<std::size_t>(DType::kInt8Row)];
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

// Bytes of `elements` neighbours that begin at the start of a block and end at the end of one; of a
// type with tables, of their codes.
constexpr std::int64_t size_bytes(DType dtype, std::int64_t elements = 1) {
  const DTypeLayout layout = dtype_layout(dtype);
  return elements / layout.block_elements * layout.block_bytes;
}

}  // namespace lathe
