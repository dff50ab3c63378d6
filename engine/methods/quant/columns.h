// The order in which the columns of a weight are rounded, and the factor that says how the rounding
// of one is taken back in those behind it: what GPTQ and SpQR share.
#pragma once

#include <cstdint>
#include <vector>

#include "engine/base/result.h"
#include "engine/methods/lord/linear_algebra.h"

namespace lathe {

struct Columns {
  std::vector<std::int64_t> order;  // place -> column
  std::vector<float> factor;        // U [in, in], upper, places; H^-1 = U^T U
};

// moment: E x x^T [in, in]; H is it with `damp` times its mean on the diagonal (README.md). By
// activity: places in the order of falling E x^2; otherwise as columns stand. kData where a number
// is not finite, or where no share of damping makes H positive definite.
Result<Columns> columns_of(const Matrix& moment, std::int64_t in, double damp, bool by_activity);

}  // namespace lathe
