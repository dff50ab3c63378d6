// Centroids of short vectors: k-means++ (Arthur and Vassilvitskii 2007), then Lloyd's iterations.
#include <algorithm>
#include <limits>
#include <utility>

#include "engine/base/check.h"
#include "engine/base/rng.h"
#include "engine/quant/kmeans.h"

namespace lathe {
namespace {

// Points to be clustered, and what each has come to.
struct Cloud {
  std::size_t dim;
  std::vector<float> points;
  std::vector<float> weights;
  std::vector<std::uint8_t> codes;
  std::vector<float> distances;  // squared, to the nearest centroid

  std::size_t size() const { return weights.size(); }
  std::span<const float> point(std::size_t i) const {
    return std::span(points).subspan(i * dim, dim);
  }
};

// All points, or one of each of so many equal stretches of them.
Cloud cloud_of(std::span<const float> points, std::span<const float> weights,
               const VectorClusters& form, Rng& rng) {
  const auto dim = static_cast<std::size_t>(form.dim);
  const std::size_t all = points.size() / dim;
  const auto most = static_cast<std::size_t>(form.most_points);
  const std::size_t count = std::min(all, most);
  Cloud cloud{dim, {}, {}, std::vector<std::uint8_t>(count), std::vector<float>(count)};
  for (std::size_t i = 0; i < count; ++i) {
    const std::size_t begin = i * all / count;
    const std::size_t length = (i + 1) * all / count - begin;
    const std::size_t at =
        length > 1 ? begin + static_cast<std::size_t>(rng.next_below(length)) : begin;
    const auto point = points.subspan(at * dim, dim);
    cloud.points.insert(cloud.points.end(), point.begin(), point.end());
    cloud.weights.push_back(weights.empty() ? 1.0f : weights[at]);
  }
  return cloud;
}

template <std::size_t kDim>
float squared_distance(const float* a, const float* b) {
  float sum = 0;
  for (std::size_t d = 0; d < kDim; ++d) {
    sum += (a[d] - b[d]) * (a[d] - b[d]);
  }
  return sum;
}

// body<dim>(): distances are most of the work, and quick where the compiler knows it.
template <typename Body>
auto with_dim(std::size_t dim, const Body& body) {
  switch (dim) {
    case 1:
      return body.template operator()<1>();
    case 2:
      return body.template operator()<2>();
    case 3:
      return body.template operator()<3>();
    default:
      return body.template operator()<4>();
  }
}

struct Nearest {
  std::uint8_t code = 0;
  float distance = 0;
};

// Of `count` points, at most kTogether, at once: compilers make registers of the loops over them.
constexpr std::size_t kTogether = 8;
template <std::size_t kDim>
void nearest_of(std::span<const float> centroids, const float* points, std::size_t count,
                Nearest* out) {
  float x[kDim][kTogether] = {};
  for (std::size_t i = 0; i < count; ++i) {
    for (std::size_t d = 0; d < kDim; ++d) {
      x[d][i] = points[i * kDim + d];
    }
  }
  float least[kTogether];
  std::int32_t best[kTogether] = {};
  std::fill_n(least, kTogether, std::numeric_limits<float>::infinity());
  const auto clusters = static_cast<std::int32_t>(centroids.size() / kDim);
  for (std::int32_t k = 0; k < clusters; ++k) {
    const float* const centroid = centroids.data() + static_cast<std::size_t>(k) * kDim;
    for (std::size_t i = 0; i < kTogether; ++i) {
      float distance = 0;
      for (std::size_t d = 0; d < kDim; ++d) {
        const float off = x[d][i] - centroid[d];
        distance += off * off;
      }
      best[i] = distance < least[i] ? k : best[i];
      least[i] = distance < least[i] ? distance : least[i];
    }
  }
  for (std::size_t i = 0; i < count; ++i) {
    out[i] = {static_cast<std::uint8_t>(best[i]), least[i]};
  }
}

// body(point, nearest) for all points.
template <typename Body>
void for_nearest(std::span<const float> centroids, std::span<const float> points, std::size_t dim,
                 const Body& body) {
  with_dim(dim, [&]<std::size_t kDim>() {
    const std::size_t count = points.size() / kDim;
    for (std::size_t at = 0; at < count; at += kTogether) {
      Nearest nearest[kTogether];
      const std::size_t some = std::min(kTogether, count - at);
      nearest_of<kDim>(centroids, points.data() + at * kDim, some, nearest);
      for (std::size_t i = 0; i < some; ++i) {
        body(at + i, nearest[i]);
      }
    }
  });
}

// A point, likely by what it costs; `costs` are not all 0.
std::size_t drawn_by(std::span<const double> costs, double sum, Rng& rng) {
  double left = rng.next_unit() * sum;
  std::size_t last = 0;
  for (std::size_t i = 0; i < costs.size(); ++i) {
    if (costs[i] > 0) {
      last = i;
      left -= costs[i];
      if (left < 0) {
        break;
      }
    }
  }
  return last;
}

std::vector<float> first_centroids(const Cloud& cloud, int clusters, Rng& rng) {
  std::vector<float> centroids;
  std::vector<double> costs(cloud.weights.begin(), cloud.weights.end());
  std::vector<float> distances(cloud.size(), std::numeric_limits<float>::infinity());
  for (int k = 0; k < clusters; ++k) {
    double sum = 0;
    for (const double cost : costs) {
      sum += cost;
    }
    const auto chosen = cloud.point(sum > 0 ? drawn_by(costs, sum, rng) : 0);
    centroids.insert(centroids.end(), chosen.begin(), chosen.end());
    with_dim(cloud.dim, [&]<std::size_t kDim>() {
      for (std::size_t i = 0; i < cloud.size(); ++i) {
        distances[i] =
            std::min(distances[i], squared_distance<kDim>(cloud.point(i).data(), chosen.data()));
        costs[i] = double{cloud.weights[i]} * double{distances[i]};
      }
    });
  }
  return centroids;
}

// Whether a point's cluster is another one than before.
bool assign(Cloud& cloud, std::span<const float> centroids) {
  bool changed = false;
  for_nearest(centroids, cloud.points, cloud.dim, [&](std::size_t i, const Nearest& best) {
    changed = changed || best.code != cloud.codes[i];
    cloud.codes[i] = best.code;
    cloud.distances[i] = best.distance;
  });
  return changed;
}

double inertia(const Cloud& cloud) {
  double sum = 0;
  for (std::size_t i = 0; i < cloud.size(); ++i) {
    sum += double{cloud.weights[i]} * double{cloud.distances[i]};
  }
  return sum;
}

// To the means of their points; an empty one to the point that costs most, which then costs
// nothing.
void move_centroids(Cloud& cloud, std::vector<float>& centroids) {
  const std::size_t clusters = centroids.size() / cloud.dim;
  std::vector<double> sums(centroids.size()), weights(clusters);
  for (std::size_t i = 0; i < cloud.size(); ++i) {
    const std::size_t code = cloud.codes[i];
    weights[code] += double{cloud.weights[i]};
    for (std::size_t d = 0; d < cloud.dim; ++d) {
      sums[code * cloud.dim + d] += double{cloud.weights[i]} * double{cloud.point(i)[d]};
    }
  }
  for (std::size_t k = 0; k < clusters; ++k) {
    if (weights[k] > 0) {
      for (std::size_t d = 0; d < cloud.dim; ++d) {
        centroids[k * cloud.dim + d] = static_cast<float>(sums[k * cloud.dim + d] / weights[k]);
      }
      continue;
    }
    std::size_t worst = 0;
    for (std::size_t i = 1; i < cloud.size(); ++i) {
      const auto cost = [&](std::size_t at) { return cloud.weights[at] * cloud.distances[at]; };
      worst = cost(i) > cost(worst) ? i : worst;
    }
    if (cloud.distances[worst] > 0) {
      std::ranges::copy(cloud.point(worst), centroids.begin() + std::ptrdiff_t(k * cloud.dim));
      cloud.distances[worst] = 0;
    }
  }
}

std::vector<float> ordered(const std::vector<float>& centroids, std::size_t dim) {
  std::vector<std::vector<float>> each;
  for (std::size_t at = 0; at < centroids.size(); at += dim) {
    each.emplace_back(centroids.begin() + std::ptrdiff_t(at),
                      centroids.begin() + std::ptrdiff_t(at + dim));
  }
  std::ranges::sort(each);
  std::vector<float> result;
  for (const auto& centroid : each) {
    result.insert(result.end(), centroid.begin(), centroid.end());
  }
  return result;
}

}  // namespace

void nearest_centroids(std::span<const float> centroids, int dim, std::span<const float> points,
                       std::uint8_t* codes) {
  for_nearest(centroids, points, static_cast<std::size_t>(dim),
              [&](std::size_t i, const Nearest& best) { codes[i] = best.code; });
}

std::vector<float> vector_centroids(std::span<const float> points, std::span<const float> weights,
                                    const VectorClusters& form) {
  CHECK(form.dim >= 1 && form.dim <= 4 && form.clusters >= 1 && form.clusters <= kMostClusters &&
            form.starts >= 1 && !points.empty() &&
            points.size() % static_cast<std::size_t>(form.dim) == 0,
        "whole points of up to four numbers, up to 256 clusters");
  Rng rng(form.seed, 0);
  Cloud cloud = cloud_of(points, weights, form, rng);
  std::vector<float> best;
  double least = std::numeric_limits<double>::infinity();
  for (int start = 0; start < form.starts; ++start) {
    std::vector<float> centroids = first_centroids(cloud, form.clusters, rng);
    assign(cloud, centroids);
    for (int step = 0; step < form.most_steps; ++step) {
      move_centroids(cloud, centroids);
      if (!assign(cloud, centroids)) {
        break;
      }
    }
    if (const double cost = inertia(cloud); cost < least) {
      least = cost;
      best = std::move(centroids);
    }
  }
  return ordered(best, static_cast<std::size_t>(form.dim));
}

}  // namespace lathe
