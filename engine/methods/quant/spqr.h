// A linear layer's weight in three or four bits, sixteen to a scale and an offset that themselves
// have three bits, with the weights that this would hurt most kept beside it: SpQR (arXiv
// 2306.03078, algorithm 1; README.md: equations).
#pragma once

#include <cstdint>
#include <span>

#include "engine/base/result.h"
#include "engine/methods/quant/rounded_weight.h"

namespace lathe {

struct SpqrOptions {
  double damp = 0.01;  // added to the diagonal of E x x^T, as a share of its mean
  // A weight is an outlier where its squared error, in units of what its column forgives, is more
  // than so much of a column's mean variance in the same units. The higher, the fewer.
  double threshold = 0.2;
  // Columns in the order of their activity; their groups, which stay neighbours in the matrix, then
  // have levels for the weights as they were.
  bool by_activity = false;
};

// weight [out, in]; moment: E x x^T [in, in], symmetric. Precondition: spqr_bits(type) > 0,
// fits_type(). kData as columns_of(). Runs on all cores.
Result<RoundedWeight> round_spqr(StoredType type, std::span<const float> weight, std::int64_t out,
                                 std::int64_t in, const Matrix& moment, const SpqrOptions& options);

}  // namespace lathe
