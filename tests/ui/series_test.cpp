// A spike of one step survives any zoom; smoothing does not begin at zero.
#include "ui/model/series.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>
#include <limits>

#include "ui/model/smoothing.h"

namespace lathe::ui {
namespace {

Series ramp(std::size_t count) {
  Series series;
  for (std::size_t i = 0; i < count; ++i) {
    series.append(static_cast<double>(i), static_cast<double>(i % 7));
  }
  return series;
}

TEST(Series, SamplesNoMoreThanTwicePerColumnAndKeepsSpikes) {
  Series series = ramp(200'000);
  series.append(200'000, 1e6);
  for (std::size_t i = 200'001; i < 300'000; ++i) {
    series.append(static_cast<double>(i), 3.0);
  }
  for (const std::size_t columns : {1U, 7U, 100U, 1000U}) {
    const std::vector<Bucket> buckets = series.sample(0, 300'000, columns);
    EXPECT_LE(buckets.size(), 2 * columns + 2);
    const auto highest = std::max_element(
        buckets.begin(), buckets.end(), [](const auto& a, const auto& b) { return a.max < b.max; });
    EXPECT_EQ(highest->max, 1e6) << columns;
  }
}

TEST(Series, BucketsAgreeWithThePointsTheyStandFor) {
  Series series;
  std::vector<double> raw;
  for (int i = 0; i < 5000; ++i) {
    raw.push_back(std::sin(i * 0.37) * i);
    series.append(i, raw.back());
  }
  const std::vector<Bucket> buckets = series.sample(1000, 3999, 50);
  for (std::size_t b = 0; b + 1 < buckets.size(); ++b) {
    const auto from = raw.begin() + static_cast<std::ptrdiff_t>(buckets[b].x);
    const auto to = raw.begin() + static_cast<std::ptrdiff_t>(buckets[b + 1].x);
    EXPECT_EQ(buckets[b].min, *std::min_element(from, to));
    EXPECT_EQ(buckets[b].max, *std::max_element(from, to));
    EXPECT_EQ(buckets[b].last, *(to - 1));
  }
}

TEST(Series, ShowsRawPointsWhereTheyFitWithANeighbourOnEachSide) {
  const Series series = ramp(100);
  const std::vector<Bucket> buckets = series.sample(10, 20, 400);
  ASSERT_EQ(buckets.size(), 12U);
  EXPECT_EQ(buckets.front().x, 10);
  EXPECT_EQ(buckets.back().x, 21);
}

TEST(Series, ARestartFromACheckpointReplacesWhatCameAfter) {
  Series series = ramp(3000);
  series.append(1500, 42);
  EXPECT_EQ(series.size(), 1501U);
  EXPECT_EQ(series.last_value(), 42);
  series.append(1501, 43);
  EXPECT_EQ(series.value_at(1500.5, -1), 42);
}

TEST(Series, ValueInForceAtAStep) {
  Series series;
  series.append(10, 1);
  series.append(20, 2);
  EXPECT_EQ(series.value_at(9, -1), -1);
  EXPECT_EQ(series.value_at(10, -1), 1);
  EXPECT_EQ(series.value_at(19, -1), 1);
  EXPECT_EQ(series.value_at(500, -1), 2);
}

TEST(Series, NotANumberDoesNotHideTheOthers) {
  Series series;
  for (int i = 0; i < 4096; ++i) {
    series.append(i, i == 17 ? std::numeric_limits<double>::quiet_NaN() : 1.0);
  }
  EXPECT_EQ(series.max_value(), 1.0);
  EXPECT_EQ(series.sample(0, 4096, 4).front().min, 1.0);
}

TEST(Series, AnEmptyOneIsHarmless) {
  const Series series;
  EXPECT_TRUE(series.sample(0, 1, 10).empty());
  EXPECT_TRUE(std::isnan(series.last_value()));
  EXPECT_EQ(series.value_at(3, 7), 7);
}

TEST(Smoothing, AConstantStaysItselfFromTheFirstPoint) {
  Series series;
  for (int i = 0; i < 50; ++i) {
    series.append(i, 5);
  }
  for (const double value : smooth(series.sample(0, 50, 100), 0.95)) {
    EXPECT_NEAR(value, 5, 1e-12);
  }
}

TEST(Smoothing, FollowsTheBiasCorrectedAverage) {
  const std::vector<Bucket> buckets{{0, 1, 1, 1}, {1, 3, 3, 3}};
  const std::vector<double> values = smooth(buckets, 0.5);
  EXPECT_DOUBLE_EQ(values[0], 1);
  EXPECT_DOUBLE_EQ(values[1], (0.25 * 1 + 0.5 * 3) / 0.75);
}

TEST(Smoothing, PassesNonFiniteValuesAndGoesOn) {
  const double nan = std::numeric_limits<double>::quiet_NaN();
  const std::vector<double> values = smooth({{0, 2, 2, 2}, {1, nan, nan, nan}, {2, 2, 2, 2}}, 0.9);
  EXPECT_TRUE(std::isnan(values[1]));
  EXPECT_NEAR(values[2], 2, 1e-12);
}

}  // namespace
}  // namespace lathe::ui
