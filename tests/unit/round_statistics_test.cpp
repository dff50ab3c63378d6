// What rounding would do to matrices that were made by hand, and that it is what storing them does.
#include "engine/compress/round_statistics.h"

#include <gtest/gtest.h>

#include <cmath>
#include <limits>
#include <numeric>

#include "engine/base/rng.h"
#include "engine/methods/quant/palette_rounding.h"
#include "engine/methods/quant/rounded_weight.h"
#include "engine/methods/quant/spqr.h"
#include "engine/quant/block_grid.h"
#include "tests/support/stored_values.h"

namespace lathe {
namespace {

const StoredType kInt2 = group_dtype(2, 32);

std::int64_t sum(const std::vector<std::int64_t>& counts) {
  return std::accumulate(counts.begin(), counts.end(), std::int64_t{0});
}

// One row of a block: 30 weights of 0, one of 3 and one of 1.25. Its grid in two bits is 0 1 2 3.
std::vector<float> by_hand() {
  std::vector<float> row(32, 0.0f);
  row[5] = 3;
  row[9] = 1.25f;
  return row;
}

TEST(RoundStatistics, ErrorLevelsAndPositionsOfAMatrixMadeByHand) {
  const std::vector<StoredType> types{kInt2};
  const auto matrix = round_statistics(types, by_hand(), 1, 32);
  ASSERT_TRUE(matrix.ok()) << matrix.error().text();
  ASSERT_TRUE(matrix->types[0].has_value());
  const RoundStatistics& two_bits = *matrix->types[0];
  EXPECT_DOUBLE_EQ(two_bits.error_share, 0.25 * 0.25 / (9 + 1.25 * 1.25));
  EXPECT_EQ(two_bits.levels, (std::vector<std::int64_t>{30, 1, 0, 1}));
  EXPECT_EQ(two_bits.bytes, 4 + 32 * 2 / 8);
  const std::vector<std::int64_t>& bins = matrix->positions[two_bits.positions.value()];
  ASSERT_EQ(bins.size(), kPositionBins);
  EXPECT_EQ(bins.front(), 30);
  EXPECT_EQ(bins[static_cast<std::size_t>(1.25 / 3 * 64)], 1);
  EXPECT_EQ(bins.back(), 1);
  EXPECT_EQ(sum(bins), 32);
}

TEST(RoundStatistics, OutliersAreMeasuredInSigmasOfTheirOwnRow) {
  std::vector<float> rows = by_hand();
  const std::vector<float> even(32, 100.0f);  // large, and none stands out
  rows.insert(rows.end(), even.begin(), even.end());
  const auto matrix = round_statistics({}, rows, 2, 32);
  ASSERT_TRUE(matrix.ok());
  const double sigma = std::sqrt((9 + 1.25 * 1.25) / 32);
  EXPECT_EQ(matrix->outliers, 1);
  EXPECT_NEAR(matrix->largest_sigmas, 3 / sigma, 1e-9);
  EXPECT_GT(3, kOutlierSigmas * sigma);
}

TEST(RoundStatistics, IsWhatStoringTheMatrixDoes) {
  constexpr std::int64_t kOut = 70;
  constexpr std::int64_t kIn = 256;
  Rng rng(3, 1);
  std::vector<float> weight(kOut * kIn);
  for (float& one : weight) {
    one = static_cast<float>(rng.next_unit() - 0.3);
  }
  const std::vector<StoredType> types{StoredType::kNf4, group_dtype(3, 64), group_dtype(8, 64),
                                      group_dtype(5, 32), StoredType::kQ8_0};
  const auto matrix = round_statistics(types, weight, kOut, kIn);
  ASSERT_TRUE(matrix.ok());
  double energy = 0;
  for (const float one : weight) {
    energy += static_cast<double>(one) * one;
  }
  for (std::size_t i = 0; i < types.size(); ++i) {
    const double error = test::squared_error(weight, test::round_trip(types[i], weight));
    const RoundStatistics& told = matrix->types[i].value();
    EXPECT_NEAR(told.error_share / (error / energy), 1, 1e-5) << i;
    EXPECT_EQ(told.bytes, stored_bytes(types[i], kOut * kIn));
    EXPECT_EQ(sum(told.levels), has_grid(types[i]) ? kOut * kIn : 0);
  }
  EXPECT_EQ(matrix->types[1]->positions, matrix->types[2]->positions) << "both are groups of 64";
  EXPECT_NE(matrix->types[0]->positions, matrix->types[1]->positions);
  EXPECT_NE(matrix->types[3]->positions, matrix->types[1]->positions);
  EXPECT_FALSE(matrix->types[4]->positions.has_value()) << "a type without grid";
  for (const auto& bins : matrix->positions) {
    EXPECT_EQ(sum(bins), kOut * kIn);
  }
}

TEST(RoundStatistics, TypesWithTablesAreRoundedAsAWhole) {
  constexpr std::int64_t kOut = 48;
  constexpr std::int64_t kIn = 128;
  Rng rng(5, 1);
  std::vector<float> weight(kOut * kIn);
  for (float& one : weight) {
    one = static_cast<float>(rng.next_unit() - 0.4);
  }
  const std::vector<StoredType> types{StoredType::kInt8Row, StoredType::kNf4Double};
  const auto matrix = round_statistics(types, weight, kOut, kIn);
  ASSERT_TRUE(matrix.ok());
  for (std::size_t i = 0; i < types.size(); ++i) {
    const RoundedWeight stored = round_nearest(types[i], weight, kOut, kIn, {});
    EXPECT_NEAR(matrix->types[i]->error_share / (stored.error / stored.energy), 1, 1e-6);
    EXPECT_EQ(matrix->types[i]->bytes, static_cast<std::int64_t>(stored.stored.size()));
    EXPECT_TRUE(matrix->types[i]->levels.empty());
  }
}

TEST(RoundStatistics, PalettesAreTheBestOfTheMatrix) {
  constexpr std::int64_t kOut = 16;
  constexpr std::int64_t kIn = 64;
  Rng rng(5, 4);
  std::vector<float> weight(kOut * kIn);
  for (float& one : weight) {
    one = static_cast<float>(rng.next_unit() - 0.5);
  }
  const std::vector<StoredType> types{palette_dtype(2, 1), palette_dtype(4, 1)};
  const auto matrix = round_statistics(types, weight, kOut, kIn);
  ASSERT_TRUE(matrix.ok());
  for (std::size_t i = 0; i < types.size(); ++i) {
    const auto stored = round_palette(types[i], weight, kOut, kIn, {}, {});
    ASSERT_TRUE(stored.ok());
    EXPECT_EQ(matrix->types[i]->bytes, static_cast<std::int64_t>(stored->stored.size()));
    EXPECT_EQ(matrix->types[i]->error_share, stored->error / stored->energy);
  }
  const auto equal = round_statistics(types, std::vector<float>(kOut * kIn, 0.5f), kOut, kIn);
  ASSERT_TRUE(equal.ok());
  EXPECT_FALSE(equal->types[0].has_value()) << "one value";
}

// What SpQR makes of white inputs, and where what it keeps beside the codes lies.
TEST(RoundStatistics, SpqrKeepsWhatStandsOut) {
  constexpr std::int64_t kOut = 64;
  constexpr std::int64_t kIn = 128;
  Rng rng(5, 3);
  std::vector<float> weight(kOut * kIn);
  for (float& one : weight) {
    one = static_cast<float>(rng.next_unit() - 0.5);
  }
  for (std::int64_t row = 0; row < kOut; ++row) {
    weight[static_cast<std::size_t>(row * kIn + 100)] = 9;  // in bin 50 of 64
  }
  const std::vector<StoredType> types{StoredType::kSpqr3, StoredType::kSpqr4};
  const auto matrix = round_statistics(types, weight, kOut, kIn);
  ASSERT_TRUE(matrix.ok());
  Matrix white(kIn * kIn);
  for (std::int64_t i = 0; i < kIn; ++i) {
    white[static_cast<std::size_t>(i * (kIn + 1))] = 1;
  }
  for (std::size_t i = 0; i < types.size(); ++i) {
    const auto stored = round_spqr(types[i], weight, kOut, kIn, white, {});
    ASSERT_TRUE(stored.ok());
    const RoundStatistics& told = *matrix->types[i];
    EXPECT_EQ(told.bytes, static_cast<std::int64_t>(stored->stored.size()));
    EXPECT_NEAR(told.error_share / (stored->error / stored->energy), 1, 1e-6);
    EXPECT_EQ(told.kept, stored->outliers);
    EXPECT_EQ(sum(told.kept_columns), told.kept);
    EXPECT_GE(told.kept_columns[50], kOut);
    EXPECT_LE(told.kept, 16 * kOut);  // its neighbours share its scale
  }
}

TEST(RoundStatistics, RowsThatAreNotWholeBlocksAreLeftOut) {
  const std::vector<StoredType> types{StoredType::kNf4, kInt2};
  const auto matrix = round_statistics(types, std::vector<float>(96, 1.0f), 1, 96);
  ASSERT_TRUE(matrix.ok());
  EXPECT_FALSE(matrix->types[0].has_value());
  EXPECT_TRUE(matrix->types[1].has_value());
}

TEST(RoundStatistics, ZerosLoseNothingAndNumbersThatAreNoneAreRefused) {
  const std::vector<StoredType> types{StoredType::kNf4, kInt2};
  std::vector<float> weight(64, 0.0f);
  const auto zeros = round_statistics(types, weight, 1, 64);
  ASSERT_TRUE(zeros.ok());
  EXPECT_EQ(zeros->types[0]->error_share, 0);
  EXPECT_EQ(zeros->outliers, 0);
  EXPECT_EQ(zeros->positions[0][kPositionBins / 2], 64);
  EXPECT_TRUE(round_statistics(types, {}, 0, 64).ok());
  for (const float bad :
       {std::numeric_limits<float>::quiet_NaN(), -std::numeric_limits<float>::infinity()}) {
    weight[7] = bad;
    const auto refused = round_statistics(types, weight, 1, 64);
    ASSERT_FALSE(refused.ok());
    EXPECT_EQ(refused.error().kind, ErrorKind::kData);
  }
}

TEST(RoundStatistics, LevelsLieBetweenMinusOneAndOne) {
  EXPECT_EQ(level_positions(kInt2).size(), 4U);
  EXPECT_NEAR(level_positions(kInt2)[1], -1.0 / 3, 1e-12);
  const std::vector<double> nf4 = level_positions(StoredType::kNf4);
  ASSERT_EQ(nf4.size(), 16U);
  EXPECT_EQ(nf4.front(), -1);
  EXPECT_EQ(nf4[7], 0);
  EXPECT_EQ(nf4.back(), 1);
  EXPECT_TRUE(level_positions(StoredType::kF16).empty());
}

}  // namespace
}  // namespace lathe
