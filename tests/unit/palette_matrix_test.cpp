// Palettes as bytes: packed indices (check A9 of the reference), every number of bits and
// neighbours, sizes (A8), and what a file may bring.
#include "engine/quant/palette_matrix.h"

#include <gtest/gtest.h>

#include <cmath>
#include <cstring>

#include "engine/base/rng.h"
#include "engine/quant/half.h"
#include "engine/quant/stored_matrix.h"

namespace lathe {
namespace {

struct Extents {
  std::int64_t rows, cols, rows_per_palette;
  std::int64_t clusters;
  bool scaled;
};

PaletteParts any_parts(int bits, int dim, const Extents& of) {
  Rng rng(21, static_cast<std::uint64_t>(10 * bits + dim));
  PaletteParts parts{.bits = bits,
                     .dim = dim,
                     .rows = of.rows,
                     .cols = of.cols,
                     .rows_per_palette = of.rows_per_palette,
                     .clusters = of.clusters};
  for (std::int64_t i = 0; i < of.rows * of.cols / dim; ++i) {
    parts.codes.push_back(
        static_cast<std::uint8_t>(rng.next_below(static_cast<std::uint64_t>(of.clusters))));
  }
  for (std::int64_t i = 0; i < of.rows / of.rows_per_palette * of.clusters * dim; ++i) {
    const auto value = static_cast<float>(rng.next_unit() - 0.5);
    parts.lut.push_back(float_of_half(half_of_float(value)));
  }
  for (std::int64_t row = 0; of.scaled && row < of.rows; ++row) {
    parts.row_scales.push_back(static_cast<float>(0.5 + rng.next_unit()));
  }
  return parts;
}

std::vector<float> values_of(const PaletteParts& parts) {
  std::vector<float> values;
  for (std::int64_t row = 0; row < parts.rows; ++row) {
    for (std::int64_t col = 0; col < parts.cols; ++col) {
      const auto code = parts.codes[static_cast<std::size_t>((row * parts.cols + col) / parts.dim)];
      const std::int64_t at =
          (row / parts.rows_per_palette * parts.clusters + code) * parts.dim + col % parts.dim;
      const float scale =
          parts.row_scales.empty() ? 1.0f : parts.row_scales[static_cast<std::size_t>(row)];
      values.push_back(parts.lut[static_cast<std::size_t>(at)] * scale);
    }
  }
  return values;
}

TEST(PaletteMatrix, CodesArePackedLowestBitFirst) {
  const std::vector<std::uint8_t> codes{1, 2, 3, 4, 5, 6, 7, 0, 5};
  const std::vector<std::byte> packed = packed_codes(codes, 3);
  // 001 010 011 ... from the lowest bit on: 0b11010001, 0b01011000, 0b00011111, 0b101.
  const std::vector<std::byte> want{std::byte{0xd1}, std::byte{0x58}, std::byte{0x1f},
                                    std::byte{0x05}};
  EXPECT_EQ(packed, want);
  for (int bits = 1; bits <= 8; ++bits) {
    Rng rng(1, static_cast<std::uint64_t>(bits));
    for (std::size_t count = 16; count < 24; ++count) {  // n mod 8 from 0 to 7
      std::vector<std::uint8_t> some;
      for (std::size_t i = 0; i < count; ++i) {
        some.push_back(static_cast<std::uint8_t>(rng.next_below(std::uint64_t{1} << bits)));
      }
      const std::vector<std::byte> bytes = packed_codes(some, bits);
      EXPECT_EQ(bytes.size(), (static_cast<std::size_t>(bits) * count + 7) / 8);
      EXPECT_EQ(unpacked_codes(bytes, count, bits), some) << bits << " " << count;
    }
  }
}

TEST(PaletteMatrix, EveryFormReadsWhatItWasMadeOf) {
  for (int bits = 1; bits <= 8; ++bits) {
    for (int dim = 1; dim <= 4; ++dim) {
      const StoredType type = palette_dtype(bits, dim);
      ASSERT_EQ(stored_type_of_name(info_of(type).name), type);
      for (const bool scaled : {false, true}) {
        // Three rows: codes that end at any byte.
        const Extents extents{3, 48 * dim, scaled ? 3 : 1, (std::int64_t{1} << bits) - scaled,
                              scaled};
        const PaletteParts parts = any_parts(bits, dim, extents);
        const std::vector<std::byte> stored = palette_matrix(parts);
        ASSERT_EQ(matrix_error(type, 3, 48 * dim, stored), "");
        EXPECT_EQ(matrix_bytes(type, 3, 48 * dim, extra_bytes_of(type, 3, 48 * dim, stored.size())),
                  std::int64_t(stored.size()));
        std::vector<float> values(std::size_t(3 * 48 * dim));
        const StoredMatrix matrix = stored_matrix(type, stored.data(), 3, 48 * dim);
        decode_matrix(matrix, values.data());
        EXPECT_EQ(values, values_of(parts)) << info_of(type).name;
        std::vector<float> part(std::size_t(16 * dim));
        decode_part(matrix, 2, 16 * dim, part.data(), 16 * dim);
        EXPECT_TRUE(std::equal(part.begin(), part.end(), values.begin() + 2 * 48 * dim + 16 * dim));
        const PaletteParts read = palette_parts(type, 3, 48 * dim, stored);
        EXPECT_EQ(read.codes, parts.codes);
        EXPECT_EQ(read.row_scales, parts.row_scales);
        EXPECT_EQ(palette_matrix(read), stored);
      }
    }
  }
}

TEST(PaletteMatrix, FitsTheWidthsOfSmallModels) {
  for (int type = int(DType::kPalettes); type < int(DType::kI32); ++type) {
    EXPECT_TRUE(fits_type(DType(type), 576, 576) && fits_type(DType(type), 576, 1536));
  }
}

TEST(PaletteMatrix, TakesTheBytesThatThePaperCounts) {
  // A8: LLaMA-7B, 3 bits, embedding and head of 8: 2,690,646,016 bytes and tables.
  constexpr std::int64_t kDim = 4096, kHidden = 11008, kVocab = 32000;
  constexpr StoredType kThree = palette_dtype(3, 1), kEight = palette_dtype(8, 1);
  std::int64_t bytes = 0, tables = 0;
  const auto add = [&](StoredType type, std::int64_t rows, std::int64_t cols, std::int64_t times) {
    const std::int64_t extra = palette_extra_bytes(type, rows, rows, false);
    bytes += times * matrix_bytes(type, rows, cols, extra);
    tables += times * (8 + extra);
  };
  add(kThree, kDim, kDim, 4 * 32);
  add(kThree, kHidden, kDim, 3 * 32);
  add(kEight, kVocab, kDim, 2);
  EXPECT_EQ(bytes - tables, 2690646016);
  EXPECT_EQ(tables, 224 * (8 + 16) + 2 * (8 + 512));
}

TEST(PaletteMatrix, WhatAFileBringsIsChecked) {
  const StoredType type = palette_dtype(3, 2);
  const std::vector<std::byte> sound = palette_matrix(any_parts(3, 2, {6, 64, 2, 8, true}));
  const auto error = [&](const std::vector<std::byte>& bytes) {
    return matrix_error(type, 6, 64, bytes);
  };
  ASSERT_EQ(error(sound), "");
  const std::size_t head = 6 * 64 / 2 * 3 / 8;
  const auto with_word = [&](std::size_t at, std::uint32_t word) {
    std::vector<std::byte> bytes = sound;
    std::memcpy(bytes.data() + at, &word, 4);
    return bytes;
  };
  EXPECT_NE(error({}), "");
  EXPECT_NE(error({sound.begin(), sound.begin() + head + 7}), "");
  EXPECT_NE(error({sound.begin(), sound.end() - 1}), "");
  EXPECT_NE(error({sound.begin(), sound.end() - 4}), "");
  for (const std::uint32_t rows : {0u, 1u, 3u, 4u, 12u, 0xffffffffu}) {
    EXPECT_NE(error(with_word(head, rows)), "") << rows;
  }
  EXPECT_NE(error(with_word(head + 4, 0)), "");
  EXPECT_NE(error(with_word(head + 4, 2)), "");
  EXPECT_NE(error(with_word(head + 8, 0x7c00)), "") << "a value is infinite";
  EXPECT_NE(error(with_word(sound.size() - 4, 0x7fc00000)), "") << "a scale is no number";
  // What leaves the size as it is: one palette for four rows of six, a flag that is no flag.
  std::vector<std::byte> plain = palette_matrix(any_parts(3, 2, {6, 64, 6, 8, false}));
  ASSERT_EQ(error(plain), "");
  const std::uint32_t four = 4, six = 6, two = 2;
  std::memcpy(plain.data() + head, &four, 4);
  EXPECT_NE(error(plain), "");
  std::memcpy(plain.data() + head, &six, 4);
  std::memcpy(plain.data() + head + 4, &two, 4);
  EXPECT_NE(error(plain), "");
  EXPECT_NE(matrix_error(type, 6, 63, sound), "");
  EXPECT_NE(matrix_error(type, 0, 64, sound), "");
  EXPECT_NE(matrix_error(palette_dtype(4, 2), 6, 64, sound), "");
}

}  // namespace
}  // namespace lathe
