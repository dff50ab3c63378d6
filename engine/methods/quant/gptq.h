// A linear layer's weight rounded to a stored type so that its outputs change least on inputs that
// were seen: GPTQ (arXiv 2210.17323, algorithm 1). Columns are rounded one after the other, and
// what a column is off by is taken back in the columns that are still to come (README.md:
// equations).
#pragma once

#include <cstdint>
#include <span>

#include "engine/base/result.h"
#include "engine/methods/lord/linear_algebra.h"
#include "engine/methods/quant/rounded_weight.h"
#include "engine/quant/block_grid.h"

namespace lathe {

struct GptqOptions {
  double damp = 0.01;  // added to the diagonal of E x x^T, as a share of its mean
  // Columns in the order of falling E x^2, with the grids of the weights as they were; otherwise as
  // they stand, each grid from what its block has become.
  bool by_activity = false;
};

// weight [out, in]; moment: E x x^T [in, in], symmetric. Precondition: has_grid(type), whole blocks
// in a row. Inputs that never were anything but 0 are rounded to nearest. kData where a number is
// not finite, or where no share of damping makes the moment positive definite. Runs on all cores.
Result<RoundedWeight> round_gptq(StoredType type, std::span<const float> weight, std::int64_t out,
                                 std::int64_t in, const Matrix& moment, const GptqOptions& options);

}  // namespace lathe
