// The exact clusters of single weights against all ways to cut them, k-means of vectors, distinct
// values of 16 bits (check A6 of the reference), the levels of normal weights.
#include "engine/quant/kmeans.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>
#include <limits>

#include "engine/base/portable_math.h"
#include "engine/base/rng.h"
#include "engine/quant/half.h"
#include "engine/quant/nf4.h"

namespace lathe {
namespace {

struct Weighted {
  std::vector<float> values;
  std::vector<double> weights;
};

double cost_of(const Weighted& points, const std::vector<float>& centroids) {
  double sum = 0;
  for (std::size_t i = 0; i < points.values.size(); ++i) {
    const double off =
        double{points.values[i]} - double{centroids[nearest_centroid(centroids, points.values[i])]};
    sum += points.weights[i] * off * off;
  }
  return sum;
}

// The cost of the values [begin, end) about their mean, by its definition.
double interval_cost(const Weighted& points, std::size_t begin, std::size_t end) {
  double weight = 0, sum = 0, cost = 0;
  for (std::size_t i = begin; i < end; ++i) {
    weight += points.weights[i];
    sum += points.weights[i] * double{points.values[i]};
  }
  for (std::size_t i = begin; i < end && weight > 0; ++i) {
    cost += points.weights[i] * std::pow(double{points.values[i]} - sum / weight, 2);
  }
  return cost;
}

// The least over all ways to cut [begin, n) into so many intervals.
double least_cost(const Weighted& points, std::size_t begin, int clusters) {
  const std::size_t count = points.values.size();
  if (clusters == 1) {
    return interval_cost(points, begin, count);
  }
  double least = std::numeric_limits<double>::infinity();
  for (std::size_t cut = begin + 1; cut + static_cast<std::size_t>(clusters) - 1 <= count; ++cut) {
    least =
        std::min(least, interval_cost(points, begin, cut) + least_cost(points, cut, clusters - 1));
  }
  return least;
}

Weighted drawn(std::size_t count, std::uint64_t stream, bool weighted) {
  Rng rng(3, stream);
  Weighted points;
  while (points.values.size() < count) {
    points.values.push_back(static_cast<float>(std::floor(400 * rng.next_unit()) / 64 - 2));
    std::ranges::sort(points.values);
    points.values.erase(std::unique(points.values.begin(), points.values.end()),
                        points.values.end());
  }
  for (std::size_t i = 0; i < count; ++i) {
    // Every fifth weighs nothing, as a weight without a gradient does.
    points.weights.push_back(!weighted                ? 1.0
                             : rng.next_below(5) == 0 ? 0.0
                                                      : std::exp(6 * rng.next_unit()));
  }
  return points;
}

TEST(Kmeans, OneDimensionIsTheBestOfAllCuts) {
  for (std::uint64_t stream = 0; stream < 40; ++stream) {
    const Weighted points = drawn(4 + stream % 9, stream, stream % 2 == 1);
    const int most = std::min<int>(5, static_cast<int>(points.values.size()));
    for (int clusters = 1; clusters <= most; ++clusters) {
      const std::vector<float> centroids = best_centroids(points.values, points.weights, clusters);
      ASSERT_EQ(centroids.size(), std::size_t(clusters));
      EXPECT_TRUE(std::ranges::is_sorted(centroids, std::less_equal<>()));
      const double least = least_cost(points, 0, clusters);
      EXPECT_NEAR(cost_of(points, centroids), least, 1e-6 * least + 1e-12)
          << stream << " " << clusters;
    }
  }
}

TEST(Kmeans, AsManyClustersAsValuesAreTheValues) {
  const Weighted points = drawn(64, 77, true);
  EXPECT_EQ(best_centroids(points.values, points.weights, 64), points.values);
}

TEST(Kmeans, CopiesWeighAsOftenAsTheyAre) {
  const std::vector<float> values{0.5f, -1.0f, 0.5f, 2.0f, 0.5f, -1.0f, 3.0f};
  const auto distinct = distinct_values(DType::kF16, values);
  ASSERT_TRUE(distinct.ok());
  EXPECT_EQ(distinct->values, (std::vector{-1.0f, 0.5f, 2.0f, 3.0f}));
  EXPECT_EQ(distinct->weights, (std::vector{2.0, 3.0, 1.0, 1.0}));
  const std::vector<float> centroids = best_centroids(distinct->values, distinct->weights, 2);
  EXPECT_FLOAT_EQ(centroids[0], -0.1f);
  EXPECT_FLOAT_EQ(centroids[1], 2.5f);
}

TEST(Kmeans, LloydDoesNotImproveTheBest) {
  const Weighted points = drawn(300, 5, true);
  std::vector<float> weights(points.weights.begin(), points.weights.end());
  for (const int clusters : {2, 8, 31}) {
    const std::vector<float> best = best_centroids(points.values, points.weights, clusters);
    const std::vector<float> lloyd =
        vector_centroids(points.values, weights, {.dim = 1, .clusters = clusters, .starts = 8});
    const double least = cost_of(points, best);
    EXPECT_LE(least, cost_of(points, lloyd) * (1 + 1e-6));
    EXPECT_GE(1.5 * least, cost_of(points, lloyd)) << "k-means++ is near it";
    // A step from the best: the means of its clusters are where the centroids are.
    std::vector<double> sums(best.size()), heavy(best.size());
    for (std::size_t i = 0; i < points.values.size(); ++i) {
      const std::size_t code = nearest_centroid(best, points.values[i]);
      sums[code] += points.weights[i] * double{points.values[i]};
      heavy[code] += points.weights[i];
    }
    for (std::size_t k = 0; k < best.size(); ++k) {
      EXPECT_NEAR(sums[k] / heavy[k], double{best[k]}, 1e-5) << k;
    }
  }
}

TEST(Kmeans, EveryValueOfSixteenBitsAndEveryCode) {
  std::vector<float> all;
  for (std::uint32_t bits = 0; bits < 65536; ++bits) {
    if ((bits & 0x7c00u) != 0x7c00u) {
      all.push_back(float_of_half(static_cast<std::uint16_t>(bits)));
    }
  }
  const auto distinct = distinct_values(DType::kF16, all);
  ASSERT_TRUE(distinct.ok());
  ASSERT_EQ(distinct->values.size(), 63487u) << "-0 is 0";
  const std::vector<float> centroids =
      best_centroids(distinct->values, distinct->weights, kMostClusters);
  EXPECT_TRUE(std::ranges::is_sorted(centroids, std::less_equal<>()));
  EXPECT_NEAR(centroids.back(), 65000.0f, 700.0f);
}

TEST(Kmeans, DistinctValuesOfNormalWeights) {
  // A6 at a hundredth of its size; the expected number is of the distribution, not of a seed.
  std::vector<float> values(1 << 18);
  Rng rng(11, 0);
  for (float& value : values) {
    value =
        static_cast<float>(0.02 * portable::normal_quantile(1e-12 + (1 - 2e-12) * rng.next_unit()));
  }
  const auto half = distinct_values(DType::kF16, values);
  const auto bf16 = distinct_values(DType::kBf16, values);
  ASSERT_TRUE(half.ok() && bf16.ok());
  EXPECT_GT(half->values.size(), 4 * bf16->values.size());
  double count = 0;
  for (const double weight : half->weights) {
    count += weight;
  }
  EXPECT_EQ(count, double(values.size()));
}

TEST(Kmeans, RefusesWhatIsNotFinite) {
  const std::vector<float> values{1.0f, std::nanf(""), 70000.0f, -2.0f};
  const auto distinct = distinct_values(DType::kF16, values);
  ASSERT_FALSE(distinct.ok());
  EXPECT_NE(distinct.error().message.find("2 of 4 values are not finite in f16"), std::string::npos)
      << distinct.error().message;
  EXPECT_FALSE(distinct_values(DType::kBf16, values).ok());
}

TEST(Kmeans, ImportancesAreSummed) {
  const std::vector<float> values{1.0f, 2.0f, 1.0f}, importances{0.5f, 0.0f, 0.25f};
  const auto distinct = distinct_values(DType::kBf16, values, importances);
  ASSERT_TRUE(distinct.ok());
  EXPECT_EQ(distinct->values.size(), 2u) << "a value without importance is one too";
  EXPECT_EQ(distinct->weights, (std::vector{0.75, 0.0}));
}

TEST(Kmeans, VectorsInHeapsAreFound) {
  for (int dim = 1; dim <= 4; ++dim) {
    Rng rng(4, static_cast<std::uint64_t>(dim));
    std::vector<float> points;
    for (int i = 0; i < 4000; ++i) {
      const auto heap = static_cast<float>(rng.next_below(7));
      for (int d = 0; d < dim; ++d) {
        points.push_back((d % 2 == 0 ? heap : -2 * heap) +
                         static_cast<float>(0.01 * (rng.next_unit() - 0.5)));
      }
    }
    const VectorClusters form{.dim = dim, .clusters = 7, .starts = 4, .most_points = 2500};
    const std::vector<float> centroids = vector_centroids(points, {}, form);
    ASSERT_EQ(centroids.size(), std::size_t(7 * dim));
    for (int k = 0; k < 7; ++k) {
      for (int d = 0; d < dim; ++d) {
        EXPECT_NEAR(centroids[std::size_t(k * dim + d)], d % 2 == 0 ? k : -2 * k, 0.01);
      }
    }
    EXPECT_EQ(centroids, vector_centroids(points, {}, form)) << "the same seed, the same centroids";
    // Each is the nearest to itself; a number that is no multiple of eight.
    std::vector<std::uint8_t> codes(7);
    nearest_centroids(centroids, dim, centroids, codes.data());
    for (std::uint8_t k = 0; k < 7; ++k) {
      EXPECT_EQ(codes[k], k);
    }
  }
}

TEST(Kmeans, FewerPointsThanCentroidsRepeat) {
  const std::vector<float> points{1, 2, 1, 2, 3, 4};
  const std::vector<float> centroids =
      vector_centroids(points, {}, {.dim = 2, .clusters = 4, .starts = 1});
  ASSERT_EQ(centroids.size(), 8u);
  EXPECT_EQ(centroids[0], 1.0f);
  EXPECT_EQ(centroids[7], 4.0f);
}

TEST(Kmeans, NormalLevels) {
  const std::vector<float> sixteen = normal_levels(16, 1.0f);
  ASSERT_EQ(sixteen.size(), 16u);
  for (std::size_t i = 0; i < 16; ++i) {
    EXPECT_NEAR(sixteen[i], kNf4Levels[i], 1e-6) << i;
  }
  for (int clusters = 1; clusters <= kMostClusters; ++clusters) {
    const std::vector<float> levels = normal_levels(clusters, 0.3f);
    ASSERT_EQ(levels.size(), std::size_t(clusters));
    EXPECT_TRUE(std::ranges::is_sorted(levels, std::less_equal<>())) << clusters;
    if (clusters > 1) {
      EXPECT_EQ(levels.front(), -0.3f);
      EXPECT_EQ(levels.back(), 0.3f);
    }
  }
}

}  // namespace
}  // namespace lathe
