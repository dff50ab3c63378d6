// Matrices whose rows share tables: int8_row, nf4_dq (check C2 of the reference), spqr3 and spqr4
// (checks B3 and B4), and what a file may bring of them.
#include "engine/quant/stored_matrix.h"

#include <gtest/gtest.h>

#include <cmath>
#include <cstring>

#include "engine/base/rng.h"
#include "engine/quant/block_codec.h"
#include "engine/quant/half.h"

namespace lathe {
namespace {

constexpr std::int64_t kRows = 48;
constexpr std::int64_t kCols = 640;

std::vector<float> normal_values(std::uint64_t stream) {
  Rng rng(5, stream);
  std::vector<float> values(static_cast<std::size_t>(kRows * kCols));
  for (float& value : values) {
    double sum = -6;
    for (int i = 0; i < 12; ++i) {
      sum += rng.next_unit();
    }
    value = static_cast<float>(0.02 * sum);
  }
  return values;
}

std::vector<std::byte> encoded(StoredType type, const std::vector<float>& values) {
  std::vector<std::byte> stored(static_cast<std::size_t>(matrix_bytes(type, kRows, kCols)));
  encode_matrix(type, values.data(), kRows, kCols, stored.data());
  return stored;
}

std::vector<float> decoded(StoredType type, const std::vector<std::byte>& stored) {
  std::vector<float> values(static_cast<std::size_t>(kRows * kCols));
  decode_matrix(stored_matrix(type, stored.data(), kRows, kCols), values.data());
  return values;
}

SpqrParts parts_of(int bits) {
  Rng rng(9, static_cast<std::uint64_t>(bits));
  SpqrParts parts{.bits = bits, .rows = kRows, .cols = kCols};
  for (std::int64_t i = 0; i < kRows * kCols; ++i) {
    parts.codes.push_back(static_cast<std::uint8_t>(rng.next_below(std::uint64_t{1} << bits)));
  }
  for (std::int64_t i = 0; i < kRows * kCols / 16; ++i) {
    parts.scale_codes.push_back(static_cast<std::uint8_t>(rng.next_below(8)));
    parts.zero_codes.push_back(static_cast<std::uint8_t>(rng.next_below(8)));
  }
  for (std::int64_t i = 0; i < kRows * kCols / 256; ++i) {
    const auto half = [&] { return half_of_float(static_cast<float>(rng.next_unit())); };
    parts.tiles.push_back({half(), half(), half(), half()});
  }
  parts.outliers.resize(kRows);
  parts.outliers[0] = {{0, half_of_float(1.5f)}, {639, half_of_float(-2.0f)}};
  parts.outliers[47] = {{64, half_of_float(0.25f)}};
  return parts;
}

TEST(StoredMatrix, Int8RowsAreWithinHalfAStep) {
  const std::vector<float> values = normal_values(1);
  const std::vector<float> read =
      decoded(StoredType::kInt8Row, encoded(StoredType::kInt8Row, values));
  for (std::int64_t row = 0; row < kRows; ++row) {
    float most = 0;
    for (std::int64_t i = row * kCols; i < (row + 1) * kCols; ++i) {
      most = std::max(most, std::abs(values[static_cast<std::size_t>(i)]));
    }
    for (std::int64_t i = row * kCols; i < (row + 1) * kCols; ++i) {
      const auto at = static_cast<std::size_t>(i);
      EXPECT_NEAR(read[at], values[at], most / 127 * 0.5001f);
    }
  }
}

TEST(StoredMatrix, DoubleQuantisationKeepsTheCodesAndRoundsTheirScales) {
  const std::vector<float> values = normal_values(2);
  const std::vector<std::byte> twice = encoded(StoredType::kNf4Double, values);
  const std::vector<float> read = decoded(StoredType::kNf4Double, twice);
  for (std::size_t block = 0; block < values.size() / 64; ++block) {
    std::byte once[36];
    encode_row(StoredType::kNf4, values.data() + block * 64, once, 64);
    EXPECT_EQ(std::memcmp(twice.data() + block * 32, once + 4, 32), 0) << block;
    float plain[64];
    decode_row(StoredType::kNf4, once, plain, 64);
    float scale = 0;
    std::memcpy(&scale, once, 4);
    for (std::size_t i = 0; i < 64; ++i) {
      // The dynamic map has levels 0.7 % of the largest difference apart, or closer.
      EXPECT_NEAR(read[block * 64 + i], plain[i], 0.01f * scale);
    }
  }
}

TEST(StoredMatrix, TakesTheBytesThatThePapersCount) {
  // C2: LLaMA-2-7B's q projection, 4.5 and 4.127 bits; the mean is one f32 more.
  const std::int64_t n = 4096 * 4096;
  EXPECT_EQ(matrix_bytes(StoredType::kNf4, 4096, 4096) * 8, n / 2 * 9);
  EXPECT_EQ(matrix_bytes(StoredType::kNf4Double, 4096, 4096),
            n / 2 + n / 64 + n / 64 / 256 * 4 + 4);
  EXPECT_NEAR(8.0 * double(matrix_bytes(StoredType::kNf4Double, 4096, 4096)) / double(n), 4.127,
              5e-4);
  EXPECT_EQ(matrix_bytes(StoredType::kInt8Row, 4096, 4096), n + 4 * 4096);
  // B3: 3.625 and 4.625 bits, and where each row's outliers begin; an outlier is 32 bits.
  for (const auto& [type, bits] :
       {std::pair(StoredType::kSpqr3, 3.625), std::pair(StoredType::kSpqr4, 4.625)}) {
    const std::int64_t offsets = 4 * 4097;
    EXPECT_EQ(8.0 * double(matrix_bytes(type, 4096, 4096) - offsets) / double(n), bits);
    const auto outliers = static_cast<std::int64_t>(0.00984 * double(n));
    EXPECT_NEAR(8.0 * double(matrix_bytes(type, 4096, 4096, outliers * kOutlierBytes) - offsets) /
                    double(n),
                bits + 0.315, 1e-3);
  }
}

TEST(StoredMatrix, SpqrIsCodesLessZeroTimesScaleAndOutliers) {
  for (const int bits : {3, 4}) {
    const StoredType type = bits == 3 ? StoredType::kSpqr3 : StoredType::kSpqr4;
    const SpqrParts parts = parts_of(bits);
    const std::vector<std::byte> stored = spqr_matrix(parts);
    ASSERT_EQ(matrix_error(type, kRows, kCols, stored), "");
    ASSERT_EQ(outliers_of(type, kRows, kCols, stored.size()), 3);
    std::vector<float> want;
    for (std::size_t row = 0; row < kRows; ++row) {
      for (std::size_t col = 0; col < kCols; ++col) {
        const SpqrTile& tile = parts.tiles[row / 16 * (kCols / 16) + col / 16];
        const std::size_t group = row * (kCols / 16) + col / 16;
        const auto level = [](std::uint8_t code, std::uint16_t zero, std::uint16_t step) {
          return (static_cast<float>(code) - float_of_half(zero)) * float_of_half(step);
        };
        const float scale = level(parts.scale_codes[group], tile.scale_zero, tile.scale_step);
        const float zero = level(parts.zero_codes[group], tile.zero_zero, tile.zero_step);
        want.push_back((static_cast<float>(parts.codes[row * kCols + col]) - zero) * scale);
      }
      for (const SpqrOutlier& outlier : parts.outliers[row]) {
        want[row * kCols + outlier.column] += float_of_half(outlier.value);
      }
    }
    EXPECT_EQ(decoded(type, stored), want);
    std::vector<float> part(128);
    decode_part(stored_matrix(type, stored.data(), kRows, kCols), 47, 64, part.data(), 128);
    EXPECT_EQ(std::memcmp(part.data(), &want[47 * kCols + 64], 128 * sizeof(float)), 0);
  }
}

TEST(StoredMatrix, HasRoomForValuesThatAreNone) {
  std::vector<float> values(static_cast<std::size_t>(kRows * kCols));
  for (const StoredType type : {StoredType::kInt8Row, StoredType::kNf4Double}) {
    EXPECT_EQ(decoded(type, encoded(type, values)), values);
  }
  values[7] = std::nanf("");
  values[9000] = INFINITY;
  for (const StoredType type : {StoredType::kInt8Row, StoredType::kNf4Double}) {
    EXPECT_EQ(decoded(type, encoded(type, values)).size(), values.size());
  }
}

TEST(StoredMatrix, WhatPointsOutsideIsRefused) {
  const std::vector<std::byte> sound = spqr_matrix(parts_of(3));
  const StoredType type = StoredType::kSpqr3;
  const auto error = [&](const std::vector<std::byte>& bytes) {
    return matrix_error(type, kRows, kCols, bytes);
  };
  EXPECT_EQ(error(sound), "");
  EXPECT_NE(error({sound.begin(), sound.end() - 1}), "");
  EXPECT_NE(error({sound.begin(), sound.end() - 4}), "");  // an outlier is missing
  EXPECT_NE(error({}), "");
  EXPECT_NE(matrix_error(type, 47, kCols, sound), "");
  EXPECT_NE(matrix_error(type, kRows, 639, sound), "");
  const std::size_t offsets = kRows * kCols / 8 * 3 + kRows * kCols / 256 * 8;
  const auto with_word = [&](std::size_t at, std::uint32_t word) {
    std::vector<std::byte> bytes = sound;
    std::memcpy(bytes.data() + at, &word, 4);
    return bytes;
  };
  EXPECT_NE(error(with_word(offsets, 1)), "");
  EXPECT_NE(error(with_word(offsets + 4 * 20, 1)), "");            // fewer than the row before
  EXPECT_NE(error(with_word(offsets + 4 * 20, 0xffffffffu)), "");  // beyond the last
  EXPECT_NE(error(with_word(sound.size() - 4, 640)), "");          // a column that is not there
  EXPECT_NE(error(with_word(sound.size() - 8, 0)), "");            // twice, or out of order
}

}  // namespace
}  // namespace lathe
