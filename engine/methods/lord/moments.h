// The moments that one solve works with, taken from the statistics of a problem; shared by the
// solvers and by the measurement of a candidate.
#pragma once

#include "engine/methods/lord/linear_algebra.h"
#include "engine/methods/lord/solver.h"

namespace lathe {

// Centred or not. Without cross statistics x' is x: `cross` and `target` are empty and mean
// the same as `input`. Without any statistics all are empty: white inputs.
struct LayerMoments {
  Matrix input;                     // of x' [in, in]
  Matrix cross;                     // of x and x' [in, in]
  Matrix target;                    // of x [in, in]
  std::vector<double> input_mean;   // E x' [in]
  std::vector<double> target_mean;  // E x [in]
};

LayerMoments moments_of(const LayerProblem& problem, bool centred);

}  // namespace lathe
