// Parameters go where they remove most error. Each layer's curve of error over parameters, its
// dense point included, is replaced by its lower convex hull; the edges of all hulls, steepest
// first, are bought until the budget is spent. An edge that ends in the dense point is the jump
// past ranks that would cost nearly as much as the dense layer.
#include "engine/methods/lord/budget.h"

#include <algorithm>
#include <string>

namespace lathe {
namespace {

struct Point {
  std::int64_t rank = 0;  // 0: dense
  std::int64_t params = 0;
  double error = 0;
};

struct Edge {
  std::size_t layer = 0;
  Point to;
  double slope = 0;  // error removed per parameter
};

double slope_between(const Point& from, const Point& to) {
  return (from.error - to.error) / static_cast<double>(to.params - from.params);
}

std::vector<Point> curve_of(const RankLayer& layer, const RankOptions& options) {
  const LayerSpectrum& spectrum = *layer.spectrum;
  const double energy = spectrum.energy();
  const double weight = layer.importance * (!options.relative_error ? 1
                                            : energy > 0            ? 1 / energy
                                                                    : 0);
  std::vector<Point> curve;
  const std::int64_t least = least_rank(layer, options);
  for (std::int64_t rank = least; rank > 0 && layer.saves(rank); rank += options.multiple) {
    curve.push_back({.rank = rank,
                     .params = layer.params_at(rank),
                     .error = weight * spectrum.layer_error(rank)});
  }
  curve.push_back({.rank = 0,
                   .params = layer.dense_params(),
                   .error = weight * spectrum.layer_error(spectrum.full_rank())});
  return curve;
}

std::vector<Point> lower_hull(const std::vector<Point>& curve) {
  std::vector<Point> hull;
  for (const Point& point : curve) {
    while (hull.size() >= 2 &&
           slope_between(hull[hull.size() - 2], hull.back()) <= slope_between(hull.back(), point)) {
      hull.pop_back();
    }
    hull.push_back(point);
  }
  return hull;
}

std::vector<Edge> steepest_first(const std::vector<std::vector<Point>>& hulls) {
  std::vector<Edge> edges;
  for (std::size_t layer = 0; layer < hulls.size(); ++layer) {
    for (std::size_t i = 1; i < hulls[layer].size(); ++i) {
      const Point& to = hulls[layer][i];
      edges.push_back({.layer = layer, .to = to, .slope = slope_between(hulls[layer][i - 1], to)});
    }
  }
  std::stable_sort(edges.begin(), edges.end(),
                   [](const Edge& a, const Edge& b) { return a.slope > b.slope; });
  return edges;
}

Error too_small(const RankOptions& options, std::int64_t least, std::int64_t dense) {
  const double share = static_cast<double>(least) / static_cast<double>(dense);
  return {ErrorKind::kUsage,
          "a budget of " + std::to_string(options.value) +
              " of the layers' parameters is below what their least ranks need, " +
              std::to_string(share),
          "raise the budget, or lower the multiple or the floors"};
}

}  // namespace

Result<std::vector<std::int64_t>> spend_budget(std::span<const RankLayer> layers,
                                               const RankOptions& options) {
  std::vector<std::vector<Point>> hulls;
  std::vector<Point> chosen;
  std::int64_t spent = 0;
  std::int64_t dense = 0;
  for (const RankLayer& layer : layers) {
    hulls.push_back(lower_hull(curve_of(layer, options)));
    chosen.push_back(hulls.back().front());
    spent += chosen.back().params;
    dense += layer.dense_params();
  }
  const auto budget = static_cast<std::int64_t>(options.value * static_cast<double>(dense));
  if (spent > budget) {
    return too_small(options, spent, dense);
  }
  for (const Edge& edge : steepest_first(hulls)) {
    Point& at = chosen[edge.layer];
    if (spent + edge.to.params - at.params <= budget) {
      spent += edge.to.params - at.params;
      at = edge.to;
      continue;
    }
    // The edge is too long for what is left: as many of its ranks as fit.
    const RankLayer& layer = layers[edge.layer];
    const std::int64_t step = options.multiple * (layer.slot.in + layer.slot.out);
    std::int64_t rank = at.rank + (budget - spent) / step * options.multiple;
    while (rank > at.rank && !layer.saves(rank)) {
      rank -= options.multiple;
    }
    spent += layer.params_at(rank) - at.params;
    at = {.rank = rank, .params = layer.params_at(rank), .error = 0};
  }
  std::vector<std::int64_t> ranks;
  for (const Point& point : chosen) {
    ranks.push_back(point.rank);
  }
  return ranks;
}

}  // namespace lathe
