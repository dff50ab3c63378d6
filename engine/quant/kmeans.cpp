// Centroids of single values. The cuts: Gronlund et al., arXiv 1701.07204, section 2.
#include "engine/quant/kmeans.h"

#include <algorithm>
#include <cmath>
#include <limits>
#include <string>

#include "engine/base/check.h"
#include "engine/base/portable_math.h"
#include "engine/quant/half.h"

namespace lathe {
namespace {

constexpr double kInfinite = std::numeric_limits<double>::infinity();

// What clusters of neighbouring values cost, by sums of all values before one.
class Intervals {
 public:
  Intervals(std::span<const float> values, std::span<const double> weights)
      : values_(values), sums_(values.size() + 1) {
    double weight = 0, sum = 0;
    for (std::size_t i = 0; i < values.size(); ++i) {
      weight += weights[i];
      sum += weights[i] * double{values[i]};
    }
    // About their mean, so that squares are no larger than they must be.
    middle_ = weight > 0 ? sum / weight : double{values[values.size() / 2]};
    for (std::size_t i = 0; i < values.size(); ++i) {
      const double x = double{values[i]} - middle_;
      sums_[i + 1] = {sums_[i].weight + weights[i], sums_[i].first + weights[i] * x,
                      sums_[i].second + weights[i] * x * x, sums_[i].plain + x};
    }
  }

  // Of the values [begin, end).
  double cost(std::size_t begin, std::size_t end) const {
    const double weight = sums_[end].weight - sums_[begin].weight;
    const double first = sums_[end].first - sums_[begin].first;
    const double second = sums_[end].second - sums_[begin].second;
    return weight > 0 ? std::max(0.0, second - first * first / weight) : 0.0;
  }
  float centroid(std::size_t begin, std::size_t end) const {
    const double weight = sums_[end].weight - sums_[begin].weight;
    const double mean =
        weight > 0 ? (sums_[end].first - sums_[begin].first) / weight
                   : (sums_[end].plain - sums_[begin].plain) / static_cast<double>(end - begin);
    return std::clamp(static_cast<float>(mean + middle_), values_[begin], values_[end - 1]);
  }

 private:
  struct Sums {
    double weight = 0, first = 0, second = 0, plain = 0;
  };
  std::span<const float> values_;
  std::vector<Sums> sums_;
  double middle_ = 0;
};

// One more cluster: of each interval [0, end) the least cost, and where its last cluster begins.
struct Layer {
  const Intervals& intervals;
  std::size_t clusters;             // with the one that is added
  const std::vector<double>& less;  // costs with one less
  std::vector<double>& costs;
  std::uint16_t* cuts;

  // Of the ends [first, last], whose cuts lie in [low, high].
  void solve(std::size_t first, std::size_t last, std::size_t low, std::size_t high) {
    if (first > last) {
      return;
    }
    const std::size_t end = first + (last - first) / 2;
    double least = kInfinite;
    std::size_t best = std::max(low, clusters - 1);
    for (std::size_t cut = best; cut <= std::min(high, end - 1); ++cut) {
      const double cost = less[cut] + intervals.cost(cut, end);
      if (cost < least) {
        least = cost;
        best = cut;
      }
    }
    costs[end] = least;
    cuts[end] = static_cast<std::uint16_t>(best);
    if (end > first) {
      solve(first, end - 1, low, best);
    }
    solve(end + 1, last, best, high);
  }
};

}  // namespace

Result<DistinctValues> distinct_values(DType type, std::span<const float> values,
                                       std::span<const float> importances) {
  CHECK(type == DType::kF16 || type == DType::kBf16, "distinct values of 16 bits");
  CHECK(importances.empty() || importances.size() == values.size(), "an importance per value");
  const bool half = type == DType::kF16;
  const auto value_of = [&](std::uint32_t bits) {
    const auto word = static_cast<std::uint16_t>(bits);
    return half ? float_of_half(word) : float_of_bf16(word);
  };
  std::vector<double> sums(kMostDistinct);
  std::vector<bool> present(kMostDistinct);
  for (std::size_t i = 0; i < values.size(); ++i) {
    const std::uint16_t bits = half ? half_of_float(values[i]) : bf16_of_float(values[i]);
    present[bits] = true;
    sums[bits] += importances.empty() ? 1.0 : double{importances[i]};
  }
  constexpr std::uint32_t kSign = 0x8000;
  present[0] = present[0] || present[kSign];
  sums[0] += sums[kSign];
  DistinctValues distinct;
  const auto take = [&](std::uint32_t bits) {
    if (present[bits] && std::isfinite(value_of(bits))) {
      distinct.values.push_back(value_of(bits));
      distinct.weights.push_back(sums[bits]);
    }
  };
  for (std::uint32_t bits = 2 * kSign - 1; bits > kSign; --bits) {
    take(bits);
  }
  for (std::uint32_t bits = 0; bits < kSign; ++bits) {
    take(bits);
  }
  const auto not_finite = std::ranges::count_if(values, [&](float value) {
    return !std::isfinite(value_of(half ? half_of_float(value) : bf16_of_float(value)));
  });
  if (not_finite > 0) {
    std::string message = std::to_string(not_finite);
    message.append(" of ")
        .append(std::to_string(values.size()))
        .append(" values are not finite in ");
    return Error{ErrorKind::kData, message.append(dtype_name(type)),
                 "clusters want finite weights: take a model that was saved whole"};
  }
  return distinct;
}

std::vector<float> best_centroids(std::span<const float> values, std::span<const double> weights,
                                  int clusters) {
  const std::size_t count = values.size();
  const auto most = static_cast<std::size_t>(clusters);
  CHECK(clusters >= 1 && clusters <= kMostClusters && most <= count &&
            count <= static_cast<std::size_t>(kMostDistinct) && weights.size() == count,
        "no more clusters than distinct values, a weight for each");
  const Intervals intervals(values, weights);
  std::vector<double> costs(count + 1), next(count + 1);
  for (std::size_t end = 1; end <= count; ++end) {
    costs[end] = intervals.cost(0, end);
  }
  std::vector<std::uint16_t> cuts((most - 1) * (count + 1));
  for (std::size_t k = 2; k <= most; ++k) {
    Layer{intervals, k, costs, next, cuts.data() + (k - 2) * (count + 1)}.solve(k, count, k - 1,
                                                                                count - 1);
    std::swap(costs, next);
  }
  std::vector<float> centroids(most);
  std::size_t end = count;
  for (std::size_t k = most; k > 1; --k) {
    const std::size_t cut = cuts[(k - 2) * (count + 1) + end];
    centroids[k - 1] = intervals.centroid(cut, end);
    end = cut;
  }
  centroids[0] = intervals.centroid(0, end);
  return centroids;
}

std::uint8_t nearest_centroid(std::span<const float> centroids, float value) {
  const auto above = std::ranges::lower_bound(centroids, value);
  const auto index = static_cast<std::size_t>(above - centroids.begin());
  if (index == 0 || index == centroids.size()) {
    return static_cast<std::uint8_t>(index == 0 ? 0 : index - 1);
  }
  const bool lower =
      double{value} - double{centroids[index - 1]} <= double{centroids[index]} - double{value};
  return static_cast<std::uint8_t>(lower ? index - 1 : index);
}

std::vector<float> normal_levels(int clusters, float most) {
  CHECK(clusters >= 1 && clusters <= kMostClusters, "1 to 256 levels");
  if (clusters <= 2) {
    return clusters == 1 ? std::vector{0.0f} : std::vector{-most, most};
  }
  const int above = clusters / 2, below = (clusters - 1) / 2;
  // Half way between the outermost quantiles of as many levels and of one less (QLoRA, appendix E).
  const double outermost = 0.5 * (0.5 / (2 * above) + 0.5 / (2 * above - 1));
  const double scale = double{most} / -portable::normal_quantile(outermost);
  std::vector<float> levels;
  for (int i = 0; i < below; ++i) {
    levels.push_back(static_cast<float>(
        scale * portable::normal_quantile(outermost + (0.5 - outermost) * i / below)));
  }
  levels.push_back(0.0f);
  for (int i = above - 1; i >= 0; --i) {
    levels.push_back(static_cast<float>(
        -scale * portable::normal_quantile(outermost + (0.5 - outermost) * i / above)));
  }
  return levels;
}

}  // namespace lathe
