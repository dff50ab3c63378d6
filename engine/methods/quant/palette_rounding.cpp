// See palette_rounding.h.
#include "engine/methods/quant/palette_rounding.h"

#include <omp.h>

#include <algorithm>
#include <cmath>
#include <optional>
#include <set>
#include <string>
#include <vector>

#include "engine/quant/half.h"
#include "engine/quant/kmeans.h"
#include "engine/quant/palette_matrix.h"

namespace lathe {
namespace {

// What one index stands for, in messages.
const char* values_text(int dim) {
  static constexpr const char* kTexts[] = {"values", "pairs of values", "triples of values",
                                           "quadruples of values"};
  return kTexts[dim - 1];
}

class Palettes {
 public:
  Palettes(StoredType type, std::span<const float> weight, std::int64_t out, std::int64_t in,
           std::span<const float> importances, const PaletteOptions& options, std::int64_t clusters)
      : options_(options),
        values_(weight.begin(), weight.end()),
        importances_(importances.begin(), importances.end()),
        parts_{.bits = palette_form(type).bits,
               .dim = palette_form(type).dim,
               .rows = out,
               .cols = in,
               .rows_per_palette = options.rows_per_palette > 0 ? options.rows_per_palette : out,
               .clusters = clusters} {}

  Result<std::vector<std::byte>> find() {
    if (options_.row_scales) {
      divide_rows();
    }
    if (const Result<void> found = find_centroids(); !found) {
      return found.error();
    }
    find_codes();
    return palette_matrix(parts_);
  }

 private:
  std::span<float> row(std::int64_t index) {
    return std::span(values_).subspan(static_cast<std::size_t>(index * parts_.cols),
                                      static_cast<std::size_t>(parts_.cols));
  }

  // An error of a divided weight is its scale's square times as bad.
  void divide_rows() {
    parts_.row_scales.assign(static_cast<std::size_t>(parts_.rows), 1.0f);
    if (importances_.empty()) {
      importances_.assign(values_.size(), 1.0f);
    }
    for (std::int64_t i = 0; i < parts_.rows; ++i) {
      const std::span<float> weights = row(i);
      const auto [least, most] = std::ranges::minmax_element(weights);
      const float scale = 0.5f * (*most - *least);
      if (!(scale > 0) || !std::isfinite(scale)) {
        continue;
      }
      parts_.row_scales[static_cast<std::size_t>(i)] = scale;
      for (std::size_t j = 0; j < weights.size(); ++j) {
        weights[j] /= scale;
        importances_[static_cast<std::size_t>(i * parts_.cols) + j] *= scale * scale;
      }
    }
  }

  Result<void> find_centroids() {
    const std::int64_t palettes = parts_.rows / parts_.rows_per_palette;
    std::vector<std::optional<Error>> errors(static_cast<std::size_t>(palettes));
    std::vector<std::vector<float>> found(static_cast<std::size_t>(palettes));
#pragma omp parallel for num_threads(omp_get_num_procs()) schedule(dynamic)
    for (std::int64_t i = 0; i < palettes; ++i) {
      auto centroids = centroids_of(i);
      const auto at = static_cast<std::size_t>(i);
      if (centroids) {
        found[at] = std::move(*centroids);
      } else {
        errors[at] = centroids.error();
      }
    }
    for (std::size_t i = 0; i < found.size(); ++i) {
      if (errors[i]) {
        return *errors[i];
      }
      parts_.lut.insert(parts_.lut.end(), found[i].begin(), found[i].end());
    }
    for (float& value : parts_.lut) {
      value = float_of_half(half_of_float(value));
    }
    return {};
  }

  Result<std::vector<float>> centroids_of(std::int64_t palette) const {
    const auto count = static_cast<std::size_t>(parts_.rows_per_palette * parts_.cols);
    const std::size_t first = static_cast<std::size_t>(palette) * count;
    const std::span<const float> values = std::span(values_).subspan(first, count);
    const std::span<const float> importances = importances_.empty()
                                                   ? std::span<const float>()
                                                   : std::span(importances_).subspan(first, count);
    const auto distinct = distinct_values(DType::kF16, values, importances);
    if (!distinct) {
      return distinct.error();
    }
    if (parts_.dim == 1) {
      const auto there = static_cast<std::int64_t>(distinct->values.size());
      return there < parts_.clusters
                 ? Result<std::vector<float>>(too_few(palette, there, distinct->values[0]))
                 : best_centroids(distinct->values, distinct->weights,
                                  static_cast<int>(parts_.clusters));
    }
    if (const std::int64_t there = distinct_points(values); there < parts_.clusters) {
      return too_few(palette, there, distinct->values[0]);
    }
    std::vector<float> weights;
    for (std::size_t at = 0; at < importances.size(); at += static_cast<std::size_t>(parts_.dim)) {
      float sum = 0;
      for (std::size_t d = 0; d < static_cast<std::size_t>(parts_.dim); ++d) {
        sum += importances[at + d];
      }
      weights.push_back(sum);
    }
    return vector_centroids(
        values, weights,
        {.dim = parts_.dim, .clusters = static_cast<int>(parts_.clusters), .seed = options_.seed});
  }

  // No more than there are clusters.
  std::int64_t distinct_points(std::span<const float> values) const {
    const auto dim = static_cast<std::size_t>(parts_.dim);
    std::set<std::vector<float>> seen;
    for (std::size_t at = 0;
         at < values.size() && seen.size() < static_cast<std::size_t>(parts_.clusters); at += dim) {
      seen.emplace(values.begin() + static_cast<std::ptrdiff_t>(at),
                   values.begin() + static_cast<std::ptrdiff_t>(at + dim));
    }
    return static_cast<std::int64_t>(seen.size());
  }

  Error too_few(std::int64_t palette, std::int64_t there, float value) const {
    const std::int64_t first = palette * parts_.rows_per_palette;
    std::string message = "has " + std::to_string(there) + " different ";
    message.append(values_text(parts_.dim));
    if (there == 1 && parts_.dim == 1) {
      message = "has but one value, " + std::to_string(value) + ",";
    }
    message.append(" in rows ").append(std::to_string(first)).append(" to ");
    message.append(std::to_string(first + parts_.rows_per_palette - 1)).append(", fewer than the ");
    message.append(std::to_string(parts_.clusters)).append(" clusters of a palette");
    return {ErrorKind::kUsage, message,
            "choose fewer clusters (quant.bits, quant.clusters), more rows to a palette "
            "(quant.palette_rows; 0: all), or leave that layer out (target)"};
  }

  void find_codes() {
    const auto dim = static_cast<std::size_t>(parts_.dim);
    const std::size_t per_row = static_cast<std::size_t>(parts_.cols) / dim;
    const std::size_t table = static_cast<std::size_t>(parts_.clusters) * dim;
    parts_.codes.resize(static_cast<std::size_t>(parts_.rows) * per_row);
#pragma omp parallel for num_threads(omp_get_num_procs())
    for (std::int64_t i = 0; i < parts_.rows; ++i) {
      const auto palette = static_cast<std::size_t>(i / parts_.rows_per_palette);
      const std::span<const float> centroids =
          std::span(parts_.lut).subspan(palette * table, table);
      const std::span<const float> weights = row(i);
      std::uint8_t* const codes = parts_.codes.data() + static_cast<std::size_t>(i) * per_row;
      if (dim == 1) {  // in order
        std::ranges::transform(weights, codes,
                               [&](float weight) { return nearest_centroid(centroids, weight); });
      } else {
        nearest_centroids(centroids, parts_.dim, weights, codes);
      }
    }
  }

  const PaletteOptions& options_;
  std::vector<float> values_;
  std::vector<float> importances_;
  PaletteParts parts_;
};

}  // namespace

Result<std::int64_t> palette_clusters(StoredType type, const PaletteOptions& options) {
  const std::int64_t most = std::int64_t{1} << palette_form(type).bits;
  if (options.clusters > most) {
    return Error{ErrorKind::kUsage,
                 "quant.clusters=" + std::to_string(options.clusters) + " is more than the " +
                     std::to_string(most) +
                     " that quant.bits=" + std::to_string(palette_form(type).bits) + " tells apart",
                 "choose fewer clusters or more bits"};
  }
  return options.clusters > 0 ? options.clusters : most;
}

Result<void> check_palette_rows(std::int64_t out, const PaletteOptions& options) {
  if (options.rows_per_palette == 0 || out % options.rows_per_palette == 0) {
    return {};
  }
  return Error{ErrorKind::kUsage,
               "its " + std::to_string(out) + " rows are not whole palettes of " +
                   std::to_string(options.rows_per_palette) + " rows (quant.palette_rows)",
               "choose a number that divides the rows of every layer, 0 for one palette to a "
               "matrix, or leave that layer out (target)"};
}

Result<RoundedWeight> round_palette(StoredType type, std::span<const float> weight,
                                    std::int64_t out, std::int64_t in,
                                    std::span<const float> importances,
                                    const PaletteOptions& options) {
  const auto clusters = palette_clusters(type, options);
  if (!clusters) {
    return clusters.error();
  }
  if (const Result<void> whole = check_palette_rows(out, options); !whole) {
    return whole.error();
  }
  auto stored = Palettes(type, weight, out, in, importances, options, *clusters).find();
  if (!stored) {
    return stored.error();
  }
  RoundedWeight rounded{.stored = std::move(*stored)};
  measure(type, weight, out, in, {}, rounded);
  return rounded;
}

}  // namespace lathe
