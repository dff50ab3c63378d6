// Differentiable k-means over threads. Weights are cut into kPaletteShares parts and points into
// kPointShares, each with sums of its own that are added up in their order, so that bits do not
// depend on the number of threads.
#include <algorithm>
#include <array>

#include "engine/backend/cpu/coded_weights.h"
#include "engine/backend/cpu/cpu_backend.h"
#include "engine/backend/cpu/parallel.h"
#include "engine/backend/cpu/share_sums.h"

namespace lathe::cpu {
namespace {

static_assert(kMostPaletteClusters == kMostCentroids && kMostPaletteDim == kMostCentroidDim);

// Matrices of few weights are one part: tables would take longer than the weights.
constexpr std::int64_t kFewWeights = 2 * kPaletteCodes;

// tables[code] of each share, and their sum: add(table, code, weight, scale).
template <typename Number, typename Add>
void sum_by_code(Backend& backend, const CodedWeights& weights, Number* tables, float* sums,
                 const Add& add) {
  const std::int64_t elements = weights.w.elements();
  const std::int64_t shares = elements > kFewWeights ? kPaletteShares : 1;
  parallel_items(backend.parallelism(), shares, elements, [&](std::int64_t number) {
    Number* const table = tables + number * kPaletteCodes;
    std::fill_n(table, kPaletteCodes, Number{0});
    for_codes(weights, share_of(number, shares, elements),
              [&](std::int64_t at, const std::int32_t* codes, std::int64_t count, float scale) {
                for (std::int64_t i = 0; i < count; ++i) {
                  add(table[codes[i]], at + i, scale);
                }
              });
  });
  parallel_ranges(backend.parallelism(), kPaletteCodes, [&](std::int64_t first, std::int64_t n) {
    for (std::int64_t u = first; u < first + n; ++u) {
      Number sum{0};
      for (std::int64_t number = 0; number < shares; ++number) {
        sum += tables[number * kPaletteCodes + u];
      }
      sums[u] = static_cast<float>(sum);
    }
  });
}

// The points of a block, gathered from those that are there, and room for what is made of them.
struct Gathered {
  alignas(64) std::array<float, kMostPaletteDim * kPaletteBlock> x, g, out;
  alignas(64) std::array<float, kPaletteBlock> counts, alpha;
  std::array<std::int64_t, kPaletteBlock> index;
  std::int64_t count = 0;

  PaletteBlock block() const { return {x.data(), counts.data(), count}; }
};

// Adds a point, where it is there; g: [n, dim] of all points, or null.
void gather(const PalettePoints& points, std::int64_t dim, const float* g, std::int64_t i,
            Gathered& to) {
  const float count = points.counts.defined() ? points.counts.f32()[i] : 1.0f;
  if (count == 0.0f) {
    return;
  }
  const std::int64_t at = to.count++;
  to.index[static_cast<std::size_t>(at)] = i;
  to.counts[static_cast<std::size_t>(at)] = count;
  for (std::int64_t e = 0; e < dim; ++e) {
    const auto place = static_cast<std::size_t>(e * kPaletteBlock + at);
    const auto bits = static_cast<std::uint16_t>(i);
    to.x[place] = points.x.defined() ? points.x.f32()[i * dim + e] : number_of(points.codes, bits);
    if (g != nullptr) {
      to.g[place] = g[i * dim + e];
    }
  }
}

// body(gathered, number of the share) for the blocks of each share.
template <typename Body>
void for_blocks(Backend& backend, const PalettePoints& points, const PaletteCentroids& centroids,
                const float* g, const Body& body) {
  const std::int64_t count = points.count();
  parallel_items(
      backend.parallelism(), kPointShares, count * centroids.clusters(), [&](std::int64_t number) {
        Gathered gathered;
        const Share share = share_of(number, kPointShares, count);
        for (std::int64_t i = share.first; i < share.end; ++i) {
          gather(points, centroids.dim(), g, i, gathered);
          if (gathered.count == kPaletteBlock || (i + 1 == share.end && gathered.count > 0)) {
            body(gathered, number);
            gathered.count = 0;
          }
        }
      });
}

PaletteRule rule_of(const PaletteCentroids& centroids) {
  return {.centroids = centroids.c.f32(),
          .clusters = centroids.clusters(),
          .dim = centroids.dim(),
          .inverse_tau = 1.0f / centroids.tau.f32()[0],
          .floor = centroids.floor};
}

// [n, dim] of the gathered points.
void scatter(const Gathered& from, std::int64_t dim, float* out) {
  for (std::int64_t at = 0; at < from.count; ++at) {
    for (std::int64_t e = 0; e < dim; ++e) {
      out[from.index[static_cast<std::size_t>(at)] * dim + e] =
          from.out[static_cast<std::size_t>(e * kPaletteBlock + at)];
    }
  }
}

}  // namespace

void palette_count(Backend& backend, const PaletteCountArgs& args) {
  sum_by_code(backend, args.weights, args.workspace.i32(), args.counts.f32(),
              [](std::int32_t& to, std::int64_t, float) { ++to; });
}

void palette_lookup(Backend& backend, const PaletteLookupArgs& args) {
  const float* const table = args.table.f32();
  for_all_codes(backend, args.weights,
                [&](std::int64_t at, const std::int32_t* codes, std::int64_t count, float scale) {
                  float* const out = args.out.f32() + at;
                  for (std::int64_t i = 0; i < count; ++i) {
                    out[i] = scale * table[codes[i]];
                  }
                });
}

void palette_sums(Backend& backend, const PaletteSumsArgs& args) {
  const float* const g = args.g.f32();
  sum_by_code(backend, args.weights, args.workspace.f64(), args.sums.f32(),
              [g](double& to, std::int64_t at, float scale) {
                to += static_cast<double>(scale) * static_cast<double>(g[at]);
              });
}

void palette_gradient(Backend& backend, const PaletteGradientArgs& args) {
  const float* const alpha = args.alpha.f32();
  const float* const beta = args.beta.f32();
  for_all_codes(backend, args.weights,
                [&](std::int64_t at, const std::int32_t* codes, std::int64_t count, float scale) {
                  float* const g = args.g.f32() + at;
                  for (std::int64_t i = 0; i < count; ++i) {
                    g[i] = g[i] * alpha[codes[i]] + beta[codes[i]] / scale;
                  }
                });
}

void palette_iterate(Backend& backend, const PaletteIterateArgs& args) {
  const PaletteRule rule = rule_of(args.centroids);
  ShareSums sums(args.workspace, rule.clusters * (rule.dim + 1));
  for_blocks(backend, args.points, args.centroids, nullptr,
             [&](const Gathered& points, std::int64_t number) {
               kernels().palette.iterate(rule, points.block(), sums.of(number));
             });
  for (std::int64_t j = 0; j < rule.clusters; ++j) {
    const double mass = sums.total(j * (rule.dim + 1) + rule.dim);
    args.mass.f32()[j] = static_cast<float>(mass);
    for (std::int64_t e = 0; e < rule.dim; ++e) {
      args.next.f32()[j * rule.dim + e] =
          mass == 0.0 ? rule.centroids[j * rule.dim + e]
                      : static_cast<float>(sums.total(j * (rule.dim + 1) + e) / mass);
    }
  }
}

void palette_apply(Backend& backend, const PaletteApplyArgs& args) {
  const PaletteRule rule = rule_of(args.centroids);
  std::array<float, kMostPaletteClusters * kMostPaletteDim> rounded;
  const float* values = args.values.f32();
  if (args.hard) {
    std::transform(values, values + rule.clusters * rule.dim, rounded.begin(),
                   [](float value) { return float_of_half(half_of_float(value)); });
    values = rounded.data();
  }
  const auto kernel = args.hard ? kernels().palette.nearest : kernels().palette.apply;
  for_blocks(backend, args.points, args.centroids, nullptr, [&](Gathered& points, std::int64_t) {
    kernel(rule, points.block(), values, points.out.data());
    scatter(points, rule.dim, args.out.f32());
  });
}

void palette_pull(Backend& backend, const PalettePullArgs& args) {
  const PaletteRule rule = rule_of(args.centroids);
  ShareSums sums(args.workspace, rule.clusters * rule.dim);
  for_blocks(backend, args.points, args.centroids, args.g.f32(),
             [&](const Gathered& points, std::int64_t number) {
               kernels().palette.pull(rule, points.block(), points.g.data(), sums.of(number));
             });
  for (std::int64_t i = 0; i < rule.clusters * rule.dim; ++i) {
    args.dvalues.f32()[i] = static_cast<float>(sums.total(i));
  }
}

namespace {

void put_slopes(const PaletteBackwardArgs& args, std::int64_t dim, const Gathered& points) {
  const bool listed = args.points.x.defined();
  float* const to = listed ? args.g.f32() : args.beta.f32();
  for (std::int64_t at = 0; at < points.count; ++at) {
    const std::int64_t index = points.index[static_cast<std::size_t>(at)];
    for (std::int64_t e = 0; e < dim; ++e) {
      const float before = args.apply ? 0.0f : to[index * dim + e];
      to[index * dim + e] = points.out[static_cast<std::size_t>(e * kPaletteBlock + at)] + before;
    }
    if (args.apply && !listed) {
      args.alpha.f32()[index] = points.alpha[static_cast<std::size_t>(at)];
    }
  }
}

}  // namespace

void palette_backward(Backend& backend, const PaletteBackwardArgs& args) {
  const PaletteRule rule = rule_of(args.centroids);
  const std::int64_t numbers = rule.clusters * rule.dim;
  std::array<float, kMostPaletteClusters * kMostPaletteDim> shares;
  for (std::int64_t i = 0; i < numbers; ++i) {
    const float mass = args.mass.f32()[i / rule.dim];
    shares[static_cast<std::size_t>(i)] = mass == 0.0f ? 0.0f : args.dnext.f32()[i] / mass;
  }
  ShareSums sums(args.workspace, numbers);
  const float* const g = args.apply ? args.g.f32() : nullptr;
  for_blocks(backend, args.points, args.centroids, g, [&](Gathered& points, std::int64_t number) {
    kernels().palette.backward(rule, points.block(),
                               {.next = args.next.f32(),
                                .shares = shares.data(),
                                .g = points.g.data(),
                                .dx = points.out.data(),
                                .alpha = points.alpha.data(),
                                .apply = args.apply,
                                .listed = args.points.x.defined()},
                               sums.of(number));
    put_slopes(args, rule.dim, points);
  });
  for (std::int64_t i = 0; i < numbers && args.dc.defined(); ++i) {
    const bool stayed = args.mass.f32()[i / rule.dim] == 0.0f;
    args.dc.f32()[i] = static_cast<float>(
        sums.total(i) + (stayed ? static_cast<double>(args.dnext.f32()[i]) : 0.0));
  }
}

}  // namespace lathe::cpu
