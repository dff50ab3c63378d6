// What rounding a matrix to types of few bits would do to it: what is lost, how often each level is
// used, where its weights lie between the levels of their blocks, and which stand out of their row.
#pragma once

#include <cstddef>
#include <cstdint>
#include <optional>
#include <span>
#include <vector>

#include "engine/base/result.h"
#include "engine/quant/stored_type.h"

namespace lathe {

// A weight is an outlier if its magnitude is above so many sigmas of its row; sigma is the root of
// the row's mean square. Of normal weights 0.0063 % are.
inline constexpr double kOutlierSigmas = 4;
inline constexpr std::size_t kPositionBins = 64;

// A matrix in one type, each weight at its nearest level; of spqr as it rounds where inputs are
// white (E x x^T = I), with its usual threshold: on text it knows better which weights matter.
struct RoundStatistics {
  std::int64_t bytes = 0;
  double error_share = 0;  // ||W - W'||^2 / ||W||^2; 0 of a matrix of zeros
  // Weights at each level, the lowest first; empty of a type whose blocks have no grid of their
  // own.
  std::vector<std::int64_t> levels;
  // Weights in bins of equal width from their block's lowest level (-1) to its highest (+1), a
  // place in MatrixStatistics::positions: types whose blocks span alike share them. None of a type
  // without grid.
  std::optional<std::size_t> positions;
  // Of spqr: the weights that are kept beside the codes, in all and in kPositionBins equal parts of
  // a row, from its first column to its last.
  std::int64_t kept = 0;
  std::vector<std::int64_t> kept_columns = {};
};

struct MatrixStatistics {
  // As they were asked for; none where the matrix cannot be of the type (fits_type()), or has fewer
  // different weights than a palette has values.
  std::vector<std::optional<RoundStatistics>> types;
  std::vector<std::vector<std::int64_t>> positions;  // kPositionBins each
  std::int64_t outliers = 0;
  double largest_sigmas = 0;  // the largest |w| / sigma of its row
};

// weight [out, in]. kData where a weight is not finite. Precondition: each type is spqr3,
// spqr4, a palette or can_encode_matrix(). Runs on all cores; the same at any number of them.
Result<MatrixStatistics> round_statistics(std::span<const StoredType> types,
                                          std::span<const float> weight, std::int64_t out,
                                          std::int64_t in);

// Where a block's levels lie between the lowest (-1) and the highest (+1); empty of a type without
// grid.
std::vector<double> level_positions(StoredType type);

}  // namespace lathe
