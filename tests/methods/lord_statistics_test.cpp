// Streaming statistics against sums written out; splits, merges, bad rows.
#include "engine/methods/lord/statistics.h"

#include <gtest/gtest.h>

#include <limits>

#include "tests/methods/lord_layer.h"

namespace lathe {
namespace {

constexpr std::int64_t kWidth = 13;
constexpr std::int64_t kRows = 3 * InputStatistics::kBlockRows + 77;

// E a b^T of rows, written out.
std::vector<double> moment_of(const std::vector<float>& a, const std::vector<float>& b) {
  constexpr auto kN = static_cast<std::size_t>(kWidth);
  std::vector<double> moment(kN * kN);
  for (std::size_t i = 0; i < a.size(); i += kN) {
    for (std::size_t j = 0; j < kN; ++j) {
      for (std::size_t k = 0; k < kN; ++k) {
        moment[j * kN + k] += static_cast<double>(a[i + j]) * static_cast<double>(b[i + k]);
      }
    }
  }
  for (double& x : moment) {
    x /= static_cast<double>(a.size() / kN);
  }
  return moment;
}

std::vector<double> mean_of(const std::vector<float>& rows, bool magnitude) {
  std::vector<double> mean(static_cast<std::size_t>(kWidth));
  for (std::size_t i = 0; i < rows.size(); ++i) {
    const auto x = static_cast<double>(rows[i]);
    mean[i % mean.size()] += magnitude ? std::abs(x) : x;
  }
  for (double& x : mean) {
    x /= static_cast<double>(rows.size()) / static_cast<double>(kWidth);
  }
  return mean;
}

std::span<const float> part(const std::vector<float>& rows, std::int64_t from, std::int64_t to) {
  return std::span(rows).subspan(static_cast<std::size_t>(from * kWidth),
                                 static_cast<std::size_t>((to - from) * kWidth));
}

TEST(LordStatistics, AreTheSumsWrittenOut) {
  const std::vector<float> rows = correlated_rows(kRows, kWidth, 1);
  InputStatistics statistics(kWidth);
  ASSERT_TRUE(statistics.add(rows).ok());
  EXPECT_EQ(statistics.count(), kRows);
  EXPECT_LT(difference(mean_of(rows, false), statistics.mean()), 1e-13);
  EXPECT_LT(difference(mean_of(rows, true), statistics.columns().mean_magnitude()), 1e-13);
  const std::vector<double> moment = moment_of(rows, rows);
  EXPECT_LT(difference(moment, statistics.second_moment()), 1e-13);
  std::vector<double> covariance = moment;
  const std::vector<double> mean = mean_of(rows, false);
  for (std::size_t i = 0; i < covariance.size(); ++i) {
    covariance[i] -= mean[i / mean.size()] * mean[i % mean.size()];
  }
  EXPECT_LT(difference(covariance, statistics.covariance()), 1e-12);
}

TEST(LordStatistics, AnySplitGivesTheSameBits) {
  const std::vector<float> rows = correlated_rows(kRows, kWidth, 1);
  InputStatistics whole(kWidth);
  ASSERT_TRUE(whole.add(rows).ok());
  for (const std::int64_t step : {1, 7, 256, 300}) {
    InputStatistics split(kWidth);
    for (std::int64_t at = 0; at < kRows; at += step) {
      ASSERT_TRUE(split.add(part(rows, at, std::min(kRows, at + step))).ok());
      split.second_moment();  // reading between does not disturb
    }
    EXPECT_EQ(split.second_moment(), whole.second_moment()) << step;
    EXPECT_EQ(split.mean(), whole.mean()) << step;
  }
}

TEST(LordStatistics, MergedPartsAreTheWhole) {
  const std::vector<float> rows = correlated_rows(kRows, kWidth, 1);
  InputStatistics whole(kWidth);
  ASSERT_TRUE(whole.add(rows).ok());
  InputStatistics first(kWidth);
  InputStatistics second(kWidth);
  ASSERT_TRUE(first.add(part(rows, 0, 301)).ok());
  ASSERT_TRUE(second.add(part(rows, 301, kRows)).ok());
  first.merge(second);
  ASSERT_EQ(first.count(), kRows);
  EXPECT_LT(difference(whole.second_moment(), first.second_moment()), 1e-13);
  EXPECT_LT(difference(whole.mean(), first.mean()), 1e-13);
  EXPECT_LT(difference(whole.columns().mean_magnitude(), first.columns().mean_magnitude()), 1e-13);
}

TEST(LordStatistics, ABadRowIsNamedAndNothingIsAdded) {
  std::vector<float> rows = correlated_rows(10, kWidth, 1);
  rows[3 * kWidth + 5] = std::numeric_limits<float>::quiet_NaN();
  InputStatistics statistics(kWidth);
  const Result<void> added = statistics.add(rows);
  ASSERT_FALSE(added.ok());
  EXPECT_EQ(added.error().kind, ErrorKind::kData);
  EXPECT_NE(added.error().message.find("row 3 of the inputs is not a number in column 5"),
            std::string::npos)
      << added.error().message;
  EXPECT_EQ(first_non_finite_row(rows, kWidth), 3);
  EXPECT_EQ(statistics.count(), 0);
  EXPECT_EQ(statistics.second_moment(), std::vector<double>(kWidth * kWidth));

  rows[3 * kWidth + 5] = -std::numeric_limits<float>::infinity();
  CrossStatistics cross(kWidth);
  const Result<void> paired = cross.add(correlated_rows(10, kWidth, 2), rows);
  ASSERT_FALSE(paired.ok());
  EXPECT_NE(paired.error().message.find("row 3 of the compressed model's inputs is infinite"),
            std::string::npos)
      << paired.error().message;
  EXPECT_EQ(cross.count(), 0);
}

TEST(LordStatistics, CrossStatisticsKeepPairs) {
  const std::vector<float> dense = correlated_rows(kRows, kWidth, 1);
  const std::vector<float> compressed = correlated_rows(kRows, kWidth, 2);
  CrossStatistics cross(kWidth);
  CrossStatistics rest(kWidth);
  ASSERT_TRUE(cross.add(part(dense, 0, 5), part(compressed, 0, 5)).ok());
  ASSERT_TRUE(cross.add(part(dense, 5, 400), part(compressed, 5, 400)).ok());
  ASSERT_TRUE(rest.add(part(dense, 400, kRows), part(compressed, 400, kRows)).ok());
  cross.merge(rest);
  const std::vector<double> moment = moment_of(dense, compressed);
  EXPECT_LT(difference(moment, cross.second_moment()), 1e-13);
  EXPECT_LT(difference(moment_of(compressed, compressed), cross.compressed().second_moment()),
            1e-13);
  std::vector<double> covariance = moment;
  const std::vector<double> mean = mean_of(dense, false);
  const std::vector<double> other = mean_of(compressed, false);
  for (std::size_t i = 0; i < covariance.size(); ++i) {
    covariance[i] -= mean[i / mean.size()] * other[i % mean.size()];
  }
  EXPECT_LT(difference(covariance, cross.covariance()), 1e-12);
}

}  // namespace
}  // namespace lathe
