// The maps of soft k-means, weight by weight in double.
#include <algorithm>
#include <cmath>
#include <vector>

#include "engine/backend/cpu_ref/cpu_ref_backend.h"
#include "engine/backend/cpu_ref/palette_numbers.h"

namespace lathe::cpu_ref {
namespace {

void put(const TensorRef& map, std::int64_t at, double value) {
  if (map.dtype == DType::kF32) {
    map.f32()[at] = static_cast<float>(value);
  } else {
    static_cast<std::uint16_t*>(map.data)[at] = bf16_of_float(static_cast<float>(value));
  }
}

// A row of a map.
std::vector<double> row_of(const PaletteMap& map, std::int64_t weight) {
  std::int64_t row = weight;
  if (map.index.defined()) {
    row = map.ranks.i32()[static_cast<const std::uint16_t*>(map.index.data)[weight]];
  }
  const std::int64_t width = map.values.cols();
  std::vector<double> values;
  for (std::int64_t at = row * width; at < (row + 1) * width; ++at) {
    values.push_back(
        map.values.dtype == DType::kF32
            ? double(map.values.f32()[at])
            : double(float_of_bf16(static_cast<const std::uint16_t*>(map.values.data)[at])));
  }
  return values;
}

double number_at(const TensorRef& codes, std::int64_t at) {
  return number_of(codes.dtype, static_cast<const std::uint16_t*>(codes.data)[at]);
}

std::vector<double> floored(std::vector<double> p, double floor) {
  for (double& value : p) {
    value = std::max(value, floor);
  }
  return p;
}

}  // namespace

void palette_codes(Backend&, const PaletteCodesArgs& args) {
  for (std::int64_t i = 0; i < args.weights.w.elements(); ++i) {
    static_cast<std::uint16_t*>(args.out.data)[i] = code_of(args.weights, i);
  }
}

void palette_map(Backend&, const PaletteMapArgs& args) {
  const std::int64_t clusters = args.centroids.clusters();
  const double tau = args.centroids.tau.f32()[0];
  for (std::int64_t i = 0; i < args.weights.w.elements(); ++i) {
    const double x = number_of(args.weights.codes, code_of(args.weights, i));
    std::vector<double> p;
    double nearest = 0.0;
    for (std::int64_t j = 0; j < clusters; ++j) {
      const double off = x - double(args.centroids.c.f32()[j]);
      if (args.distances.defined()) {
        put(args.distances, i * clusters + j, std::fabs(off));
      }
      p.push_back(off * off);
      nearest = j == 0 ? p.back() : std::min(nearest, p.back());
    }
    double total = 0.0;
    for (double& value : p) {
      value = std::exp((nearest - value) / tau);
      total += value;
    }
    for (std::int64_t j = 0; j < clusters && args.attention.defined(); ++j) {
      const double share = p[static_cast<std::size_t>(j)] / total;
      put(args.attention, i * clusters + j,
          args.floored ? std::max(share, double(args.centroids.floor)) : share);
    }
  }
}

void palette_map_backward(Backend&, const PaletteMapBackwardArgs& args) {
  const std::int64_t clusters = args.centroids.clusters();
  const auto count = static_cast<std::size_t>(clusters);
  const double floor = args.centroids.floor;
  const double tau = args.centroids.tau.f32()[0];
  float* const dnext = args.dnext.f32();
  if (args.apply) {
    std::vector<double> sums(count);
    for (std::int64_t i = 0; i < args.g.elements(); ++i) {
      const std::vector<double> a = floored(row_of(args.output, i), floor);
      for (std::size_t j = 0; j < count; ++j) {
        sums[j] += a[j] * double(args.g.f32()[i]);
      }
    }
    std::transform(sums.begin(), sums.end(), dnext,
                   [](double value) { return static_cast<float>(value); });
  }
  std::vector<double> dc(count);
  for (std::int64_t i = 0; i < args.g.elements(); ++i) {
    const std::vector<double> a = floored(row_of(args.update, i), floor);
    const std::vector<double> distance = row_of(args.distance, i);
    const std::vector<double> square = row_of(args.square, i);
    const double x = number_at(args.x_distance, i);
    const double x_summed = number_at(args.x_update, i);
    float& g = args.g.f32()[i];
    double dx = args.apply ? 0.0 : double(g);
    std::vector<double> da(count);
    for (std::size_t j = 0; j < count; ++j) {
      const double mass = args.mass.f32()[j];
      const double share = mass == 0.0 ? 0.0 : double(dnext[j]) / mass;
      da[j] = share * (x_summed - double(args.next.f32()[j]));
      da[j] += args.apply ? double(g) * double(args.next.f32()[j]) : 0.0;
      dx += a[j] * share;
    }
    std::vector<double> p = row_of(args.softmax, i);
    const std::vector<double> passes = row_of(args.floor, i);
    for (std::size_t j = 0; j < count; ++j) {
      da[j] = passes[j] > floor ? da[j] : 0.0;
    }
    const std::vector<double> dlogits = softmax_backward(p, da, -1.0);
    for (std::size_t j = 0; j < count; ++j) {
      // Through the square, then through the distance.
      const double dsize = -dlogits[j] / tau * 2.0 * square[j];
      const double direction = x - double(args.centroids.c.f32()[j]);
      const double slope = distance[j] == 0.0 ? 0.0 : dsize * direction / distance[j];
      dx += slope;
      dc[j] -= slope;
    }
    g = static_cast<float>(dx);
  }
  for (std::size_t j = 0; j < count && args.dc.defined(); ++j) {
    args.dc.f32()[j] =
        static_cast<float>(dc[j] + (args.mass.f32()[j] == 0.0f ? double(dnext[j]) : 0.0));
  }
}

}  // namespace lathe::cpu_ref
