// A linear layer's weight as indices into tables of a few values, found by k-means: what DKM (arXiv
// 2108.12659) and SqueezeLLM (arXiv 2306.07629) make of a trained model without training it on.
// README.md: equations.
#pragma once

#include <cstdint>
#include <span>

#include "engine/base/result.h"
#include "engine/methods/quant/rounded_weight.h"

namespace lathe {

struct PaletteOptions {
  std::int64_t clusters = 0;          // values of a palette; 0: as many as its bits tell apart
  std::int64_t rows_per_palette = 0;  // 0: one palette for the matrix
  bool row_scales = false;            // rows are divided by half their range first
  std::uint64_t seed = 1;             // of the first centroids where indices stand for vectors
};

// weight [out, in]; importances: what the square of each weight's error counts, of weight's size,
// or empty: 1 each. kUsage where rows_per_palette does not divide `out` or there are more clusters
// than different values, kData for weights that are not finite in f16. Precondition:
// palette_form(type).bits > 0, fits_type(). Runs on all cores; the same at any number of them.
Result<RoundedWeight> round_palette(StoredType type, std::span<const float> weight,
                                    std::int64_t out, std::int64_t in,
                                    std::span<const float> importances,
                                    const PaletteOptions& options);

// kUsage where rows_per_palette does not divide the rows of a matrix.
Result<void> check_palette_rows(std::int64_t out, const PaletteOptions& options);
// How many clusters are meant; kUsage for more than the type has codes for.
Result<std::int64_t> palette_clusters(StoredType type, const PaletteOptions& options);

}  // namespace lathe
