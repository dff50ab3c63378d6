// SpQR against GPTQ and rounding to nearest, where it is one of them, and its outliers (checks B1,
// B2, B4 and B5 of the reference).
#include "engine/methods/quant/spqr.h"

#include <gtest/gtest.h>

#include <cmath>
#include <limits>

#include "engine/base/rng.h"
#include "engine/methods/lord/statistics.h"
#include "engine/methods/quant/gptq.h"
#include "engine/quant/stored_matrix.h"

namespace lathe {
namespace {

constexpr std::int64_t kOut = 64;
constexpr std::int64_t kIn = 192;
constexpr double kNever = std::numeric_limits<double>::infinity();

// Normal weights, one of a hundred five times as large.
std::vector<float> weight_with_outliers() {
  Rng rng(21, 1);
  std::vector<float> values;
  for (std::int64_t i = 0; i < kOut * kIn; ++i) {
    double sum = -6;
    for (int j = 0; j < 12; ++j) {
      sum += rng.next_unit();
    }
    values.push_back(static_cast<float>(rng.next_below(100) == 0 ? 5 * sum : sum));
  }
  return values;
}

Matrix identity() {
  Matrix one(static_cast<std::size_t>(kIn * kIn));
  for (std::int64_t i = 0; i < kIn; ++i) {
    one[static_cast<std::size_t>(i * kIn + i)] = 1;
  }
  return one;
}

// Of inputs whose neighbours are alike.
Matrix moment_of_neighbours() {
  Rng rng(21, 2);
  std::vector<float> x;
  for (std::int64_t row = 0; row < 600; ++row) {
    float before = 0;
    for (std::int64_t i = 0; i < kIn; ++i) {
      before = 0.9f * before + static_cast<float>(rng.next_unit() - 0.5);
      x.push_back(before);
    }
  }
  InputStatistics statistics(kIn);
  EXPECT_TRUE(statistics.add(x).ok());
  return statistics.second_moment();
}

std::vector<float> read(StoredType type, const RoundedWeight& rounded) {
  std::vector<float> values(static_cast<std::size_t>(kOut * kIn));
  decode_matrix(stored_matrix(type, rounded.stored.data(), kOut, kIn), values.data());
  return values;
}

RoundedWeight spqr(StoredType type, const Matrix& moment, double threshold, double damp = 0.01) {
  auto rounded = round_spqr(type, weight_with_outliers(), kOut, kIn, moment,
                            {.damp = damp, .threshold = threshold});
  EXPECT_TRUE(rounded.ok());
  EXPECT_EQ(matrix_error(type, kOut, kIn, rounded->stored), "");
  return std::move(*rounded);
}

TEST(Spqr, OnWhiteInputsWithoutOutliersEachWeightIsAtItsNearestLevel) {
  const std::vector<float> weight = weight_with_outliers();
  for (const StoredType type : {StoredType::kSpqr3, StoredType::kSpqr4}) {
    const RoundedWeight rounded = spqr(type, identity(), kNever, 0);
    EXPECT_EQ(rounded.outliers, 0);
    const std::vector<float> values = read(type, rounded);
    // The levels of a group, from the tables: two values of neighbouring codes are a step apart.
    for (std::size_t group = 0; group < values.size() / 16; ++group) {
      const auto from = values.begin() + static_cast<std::ptrdiff_t>(16 * group);
      const auto [least, greatest] = std::minmax_element(from, from + 16);
      for (std::size_t i = 16 * group; i < 16 * group + 16; ++i) {
        for (std::size_t j = 16 * group; j < 16 * group + 16; ++j) {
          // No level that the group uses is nearer to the weight than its own.
          EXPECT_LE(std::abs(weight[i] - values[i]), std::abs(weight[i] - values[j]) + 1e-5f);
        }
      }
      EXPECT_LT(*least, *greatest);
    }
  }
}

TEST(Spqr, LosesLessThanGptqInAsManyBits) {
  const std::vector<float> weight = weight_with_outliers();
  const Matrix moment = moment_of_neighbours();
  const StoredType groups = group_dtype(3, 32);  // 4 bits a weight
  const RoundedWeight nearest = round_nearest(groups, weight, kOut, kIn, moment);
  const auto gptq = round_gptq(groups, weight, kOut, kIn, moment, {});
  ASSERT_TRUE(gptq.ok());
  const RoundedWeight rounded = spqr(StoredType::kSpqr3, moment, 0.5);
  EXPECT_LT(rounded.stored.size(), gptq->stored.size() * 102 / 100);
  EXPECT_GT(rounded.outliers, 0);
  EXPECT_LT(rounded.error, 0.8 * gptq->error);
  EXPECT_LT(gptq->error, 0.8 * nearest.error);
}

// Some inputs are much larger than others, and the last columns are the ones that matter most.
TEST(Spqr, ByActivityWhatMattersMostIsRoundedFirst) {
  Matrix moment = moment_of_neighbours();
  for (std::int64_t i = 0; i < kIn; ++i) {
    for (std::int64_t j = 0; j < kIn; ++j) {
      const double size = std::exp(4.0 * double(i + j) / double(kIn));
      moment[static_cast<std::size_t>(i * kIn + j)] *= size;
    }
  }
  const std::vector<float> weight = weight_with_outliers();
  for (const StoredType type : {StoredType::kSpqr3, StoredType::kSpqr4}) {
    const auto as_they_stand = round_spqr(type, weight, kOut, kIn, moment, {});
    const auto by_activity = round_spqr(type, weight, kOut, kIn, moment, {.by_activity = true});
    ASSERT_TRUE(as_they_stand.ok() && by_activity.ok());
    EXPECT_LT(by_activity->error, 0.9 * as_they_stand->error);
    EXPECT_EQ(matrix_error(type, kOut, kIn, by_activity->stored), "");  // outliers ascend
  }
}

// Without anything to take back, only levels that follow the weights could tell the orders apart.
TEST(Spqr, OfWhiteInputsTheOrderIsNoMatter) {
  const std::vector<float> weight = weight_with_outliers();
  const auto once = round_spqr(StoredType::kSpqr4, weight, kOut, kIn, identity(), {});
  const auto again =
      round_spqr(StoredType::kSpqr4, weight, kOut, kIn, identity(), {.by_activity = true});
  ASSERT_TRUE(once.ok() && again.ok());
  EXPECT_EQ(again->stored, once->stored);
}

TEST(Spqr, ALowerThresholdKeepsMoreAndLosesLess) {
  const Matrix moment = moment_of_neighbours();
  std::int64_t fewer = -1;
  double error = kNever;
  for (const double threshold : {kNever, 2.0, 0.5, 0.2, 0.05, 0.01, 0.0}) {
    const RoundedWeight rounded = spqr(StoredType::kSpqr3, moment, threshold);
    EXPECT_GE(rounded.outliers, fewer) << threshold;
    EXPECT_LE(rounded.error, error) << threshold;
    fewer = rounded.outliers;
    error = rounded.error;
  }
}

TEST(Spqr, WhereEveryWeightIsAnOutlierNothingIsLostBut16Bits) {
  const std::vector<float> weight = weight_with_outliers();
  const RoundedWeight rounded = spqr(StoredType::kSpqr3, moment_of_neighbours(), 0);
  EXPECT_GT(rounded.outliers, kOut * kIn * 99 / 100);
  const std::vector<float> values = read(StoredType::kSpqr3, rounded);
  float most = 0;
  for (const float value : weight) {
    most = std::max(most, std::abs(value));
  }
  for (std::size_t i = 0; i < values.size(); ++i) {
    EXPECT_NEAR(values[i], weight[i], most / 512);  // f16 of a difference, and what is taken back
  }
  EXPECT_LT(rounded.error, 1e-7 * rounded.energy);
}

TEST(Spqr, GroupsOfEqualWeightsAreKept) {
  std::vector<float> weight(static_cast<std::size_t>(kOut * kIn), -0.125f);
  std::fill_n(weight.begin(), 16 * kIn, 0.0f);
  for (const StoredType type : {StoredType::kSpqr3, StoredType::kSpqr4}) {
    const auto rounded = round_spqr(type, weight, kOut, kIn, identity(), {.threshold = 0.2});
    ASSERT_TRUE(rounded.ok());
    const std::vector<float> values = read(type, *rounded);
    for (std::size_t i = 0; i < values.size(); ++i) {
      EXPECT_NEAR(values[i], weight[i], 1e-3f);
    }
  }
}

// Far from zero and close together: what would take a zero that no f16 holds.
TEST(Spqr, GroupsThatAreNarrowAreNumbers) {
  Rng rng(3, 3);
  std::vector<float> weight;
  for (std::int64_t i = 0; i < kOut * kIn; ++i) {
    weight.push_back(static_cast<float>(1.0 + 1e-6 * rng.next_unit()));
  }
  weight[5] = 1e-30f;
  for (const double threshold : {0.2, kNever}) {
    const auto rounded =
        round_spqr(StoredType::kSpqr3, weight, kOut, kIn, identity(), {.threshold = threshold});
    ASSERT_TRUE(rounded.ok());
    const std::vector<float> values = read(StoredType::kSpqr3, *rounded);
    for (std::size_t i = 0; i < values.size(); ++i) {
      EXPECT_NEAR(values[i], weight[i], 0.2f) << i;
    }
    EXPECT_LT(rounded->error, 1e-4 * rounded->energy);
  }
}

TEST(Spqr, MomentsThatAreNoneAreRefused) {
  Matrix moment = identity();
  moment[5] = std::nan("");
  const auto rounded =
      round_spqr(StoredType::kSpqr3, weight_with_outliers(), kOut, kIn, moment, {});
  ASSERT_FALSE(rounded.ok());
  EXPECT_EQ(rounded.error().kind, ErrorKind::kData);
}

}  // namespace
}  // namespace lathe
