// The maps of soft k-means over threads: what tables are compared with, so plain loops.
#include <algorithm>
#include <array>
#include <cmath>

#include "engine/backend/cpu/coded_weights.h"
#include "engine/backend/cpu/cpu_backend.h"
#include "engine/backend/cpu/parallel.h"
#include "engine/backend/cpu/share_sums.h"

namespace lathe::cpu {
namespace {

using Row = std::array<float, kMostPaletteClusters>;

const std::uint16_t* bits_of(const TensorRef& tensor) {
  return static_cast<const std::uint16_t*>(tensor.data);
}

void write_row(const Row& row, const TensorRef& map, std::int64_t at, std::int64_t count) {
  if (map.dtype == DType::kF32) {
    std::copy_n(row.data(), count, map.f32() + at);
  } else {
    std::transform(row.data(), row.data() + count, static_cast<std::uint16_t*>(map.data) + at,
                   [](float value) { return bf16_of_float(value); });
  }
}

void read_row(const PaletteMap& map, std::int64_t weight, Row& to) {
  const std::int64_t count = map.values.cols();
  const std::int64_t row =
      map.index.defined() ? map.ranks.i32()[bits_of(map.index)[weight]] : weight;
  if (map.values.dtype == DType::kF32) {
    std::copy_n(map.values.f32() + row * count, count, to.data());
  } else {
    const std::uint16_t* const from = bits_of(map.values) + row * count;
    std::transform(from, from + count, to.data(),
                   [](std::uint16_t half) { return float_of_bf16(half); });
  }
}

void raise(Row& row, std::int64_t count, float floor) {
  std::transform(row.data(), row.data() + count, row.data(),
                 [floor](float value) { return value < floor ? floor : value; });
}

// p of x, and how far x lies from each centroid.
void attend(const PaletteCentroids& centroids, float x, Row& distances, Row& p) {
  const std::int64_t count = centroids.clusters();
  const auto last = static_cast<std::size_t>(count);
  float nearest = 0.0f;
  for (std::size_t j = 0; j < last; ++j) {
    distances[j] = std::fabs(x - centroids.c.f32()[j]);
    nearest = j == 0 || distances[j] < nearest ? distances[j] : nearest;
  }
  float total = 0.0f;
  for (std::size_t j = 0; j < last; ++j) {
    p[j] = std::exp((nearest * nearest - distances[j] * distances[j]) / centroids.tau.f32()[0]);
    total += p[j];
  }
  for (std::size_t j = 0; j < last; ++j) {
    p[j] /= total;
  }
}

// The rows of one weight.
struct Rows {
  Row distance, square, softmax, passes, update;
};

void read_rows(const PaletteMapBackwardArgs& args, std::int64_t i, Rows& rows) {
  read_row(args.distance, i, rows.distance);
  read_row(args.square, i, rows.square);
  read_row(args.softmax, i, rows.softmax);
  read_row(args.floor, i, rows.passes);
  read_row(args.update, i, rows.update);
  raise(rows.update, args.centroids.clusters(), args.centroids.floor);
}

// The gradient of weight i; adds to that of the centroids.
float weight_gradient(const PaletteMapBackwardArgs& args, const Rows& rows, std::int64_t i,
                      double* dc) {
  const std::int64_t count = args.centroids.clusters();
  const float g = args.g.f32()[i];
  const float x = number_of(args.x_distance.dtype, bits_of(args.x_distance)[i]);
  const float x_summed = number_of(args.x_update.dtype, bits_of(args.x_update)[i]);
  float dx = args.apply ? 0.0f : g;
  float mean = 0.0f;
  Row da;
  for (std::int64_t j = 0; j < count; ++j) {
    const auto at = static_cast<std::size_t>(j);
    const float mass = args.mass.f32()[j];
    const float share = mass == 0.0f ? 0.0f : args.dnext.f32()[j] / mass;
    const float of_output = args.apply ? g * args.next.f32()[j] : 0.0f;
    da[at] = rows.passes[at] > args.centroids.floor
                 ? share * (x_summed - args.next.f32()[j]) + of_output
                 : 0.0f;
    mean += rows.softmax[at] * da[at];
    dx += rows.update[at] * share;
  }
  for (std::int64_t j = 0; j < count; ++j) {
    const auto at = static_cast<std::size_t>(j);
    const float dlogit = rows.softmax[at] * (da[at] - mean);
    const float dsize = -2.0f / args.centroids.tau.f32()[0] * dlogit * rows.square[at];
    const float distance = rows.distance[at];
    const float slope =
        distance == 0.0f ? 0.0f : dsize * (x - args.centroids.c.f32()[j]) / distance;
    dx += slope;
    dc[j] -= static_cast<double>(slope);
  }
  return dx;
}

// body(weight, sums of its share) for all weights.
template <typename Body>
void for_shared(Backend& backend, std::int64_t weights, std::int64_t clusters, ShareSums& sums,
                const Body& body) {
  parallel_items(backend.parallelism(), kPointShares, weights * clusters, [&](std::int64_t number) {
    const Share share = share_of(number, kPointShares, weights);
    for (std::int64_t i = share.first; i < share.end; ++i) {
      body(i, sums.of(number));
    }
  });
}

void pull(Backend& backend, const PaletteMapBackwardArgs& args) {
  const std::int64_t clusters = args.centroids.clusters();
  ShareSums sums(args.workspace, clusters);
  for_shared(backend, args.g.elements(), clusters, sums, [&](std::int64_t i, double* to) {
    Row a;
    read_row(args.output, i, a);
    raise(a, clusters, args.centroids.floor);
    for (std::int64_t j = 0; j < clusters; ++j) {
      to[j] += static_cast<double>(a[static_cast<std::size_t>(j)]) *
               static_cast<double>(args.g.f32()[i]);
    }
  });
  for (std::int64_t j = 0; j < clusters; ++j) {
    args.dnext.f32()[j] = static_cast<float>(sums.total(j));
  }
}

}  // namespace

void palette_codes(Backend& backend, const PaletteCodesArgs& args) {
  for_all_codes(backend, args.weights,
                [&](std::int64_t at, const std::int32_t* codes, std::int64_t count, float) {
                  std::copy_n(codes, count, static_cast<std::uint16_t*>(args.out.data) + at);
                });
}

void palette_map(Backend& backend, const PaletteMapArgs& args) {
  const std::int64_t clusters = args.centroids.clusters();
  for_all_codes(backend, args.weights,
                [&](std::int64_t at, const std::int32_t* codes, std::int64_t count, float) {
                  Row distances, p;
                  for (std::int64_t i = 0; i < count; ++i) {
                    const auto bits = static_cast<std::uint16_t>(codes[i]);
                    attend(args.centroids, number_of(args.weights.codes, bits), distances, p);
                    if (args.floored) {
                      raise(p, clusters, args.centroids.floor);
                    }
                    for (const auto& [row, map] :
                         {std::pair(&distances, &args.distances), std::pair(&p, &args.attention)}) {
                      if (map->defined()) {
                        write_row(*row, *map, (at + i) * clusters, clusters);
                      }
                    }
                  }
                });
}

void palette_map_backward(Backend& backend, const PaletteMapBackwardArgs& args) {
  const std::int64_t clusters = args.centroids.clusters();
  if (args.apply) {
    pull(backend, args);
  }
  ShareSums sums(args.workspace, clusters);
  for_shared(backend, args.g.elements(), clusters, sums, [&](std::int64_t i, double* dc) {
    Rows rows;
    read_rows(args, i, rows);
    args.g.f32()[i] = weight_gradient(args, rows, i, dc);
  });
  for (std::int64_t j = 0; j < clusters && args.dc.defined(); ++j) {
    const bool stayed = args.mass.f32()[j] == 0.0f;
    args.dc.f32()[j] = static_cast<float>(
        sums.total(j) + (stayed ? static_cast<double>(args.dnext.f32()[j]) : 0.0));
  }
}

}  // namespace lathe::cpu
