// Centroids of a palette: of single weights the exact optimum, of short vectors k-means++ with
// Lloyd's iterations; and the levels that normally distributed weights would have. Weights in 16
// bits have at most 65,536 distinct values, which is what makes the optimum cheap (eDKM, arXiv
// 2309.00964, uniquification).
#pragma once

#include <cstdint>
#include <span>
#include <vector>

#include "engine/base/result.h"
#include "engine/tensor/dtype.h"

namespace lathe {

inline constexpr std::int64_t kMostDistinct = 65536;
inline constexpr int kMostClusters = 256;

// The values that a span has once it is rounded to f16 or bf16.
struct DistinctValues {
  std::vector<float> values;    // ascending; -0 counts as 0
  std::vector<double> weights;  // of each: how often, or the sum of its elements' importances
};
// `importances`, one per value, none negative; empty: 1 each. Refuses what is not finite in that
// type, with how many there are. Precondition: type is f16 or bf16.
Result<DistinctValues> distinct_values(DType type, std::span<const float> values,
                                       std::span<const float> importances = {});

// The centroids, ascending, of the least weighted sum of squared distances: a dynamic programme
// over intervals, whose best cuts move up with the interval's end, so that halving finds them
// (O(clusters * values * log values)). Values that only have weight 0 are taken as equally heavy
// where a cluster has no others. Precondition: values ascending and distinct, 1 <= clusters <=
// their number; at most kMostDistinct and kMostClusters; weights finite and not negative.
std::vector<float> best_centroids(std::span<const float> values, std::span<const double> weights,
                                  int clusters);

// Of the centroids, ascending, the nearest to a value; half way between two the lower one.
std::uint8_t nearest_centroid(std::span<const float> centroids, float value);

struct VectorClusters {
  int dim = 2;  // 1 to 4
  int clusters = 16;
  int starts = 2;                    // each from other first centroids; the best is kept
  int most_steps = 25;               // of Lloyd's; it stops where no point changes its cluster
  std::int64_t most_points = 32768;  // of more as many are drawn, and clustered for all
  std::uint64_t seed = 1;
};
// [clusters, dim], ordered by their first numbers. `points` is [n, dim], `weights` one per point or
// empty. An empty cluster takes the point that costs most; where there are fewer distinct points,
// centroids repeat.
// Precondition: n > 0, everything finite.
std::vector<float> vector_centroids(std::span<const float> points, std::span<const float> weights,
                                    const VectorClusters& form);

// Of each of the points [n, dim] the nearest of [clusters, dim] centroids by squared distance, the
// first of equals. Precondition: nothing is NaN.
void nearest_centroids(std::span<const float> centroids, int dim, std::span<const float> points,
                       std::uint8_t* codes);

// Quantiles of the normal distribution, ascending, as NF4 has them (nf4.h) and nine levels would:
// 0, so many below and, of an even number, one more above, from -most to most. Two levels are -most
// and most, one is 0. Precondition: 1 <= clusters <= kMostClusters.
std::vector<float> normal_levels(int clusters, float most);

}  // namespace lathe
