// The moments that one solve works with, taken from the statistics of a problem; shared by the
// solvers and by the measurement of a candidate.
#pragma once

#include "engine/methods/lord/linear_algebra.h"
#include "engine/methods/lord/solver.h"

namespace lathe {

// Centred or not. Without cross statistics x' is x: `cross` and `target` are empty and mean
// the same as `input`. Of a layer whose outputs were looked at, `output` is there in place of
// `input`. Without any statistics all are empty: white inputs.
struct LayerMoments {
  Matrix input;                     // of x' [in, in]
  Matrix output;                    // of W x [out, out]
  std::vector<double> diagonal;     // of `input`, also where `output` replaces it
  Matrix cross;                     // of x and x' [in, in]
  Matrix target;                    // of x [in, in]
  std::vector<double> input_mean;   // E x' [in]
  std::vector<double> target_mean;  // E x [in]
};

// Rows that the problem's statistics have seen; 0 without any.
std::int64_t rows_of(const LayerProblem& problem);

LayerMoments moments_of(const LayerProblem& problem, bool centred);

}  // namespace lathe
