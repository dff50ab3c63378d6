// The gradient of an iteration of soft k-means and of what is made with it, by the complex step
// through attention. An iteration's own derivative is that of the sum over points of a_j (x -
// next_j) / mass_j, in which next and mass are what they are.
#pragma once

#include "tests/conformance/palette_case.h"

namespace lathe::conformance {

struct BackwardCase {
  PaletteCase of;
  bool apply = true, wants_dc = true;
};

// g (or alpha and beta of codes) and dc, of inputs as PaletteBackwardArgs has them.
Wide backward_formula(const BackwardCase& b, const Wide& in);

}  // namespace lathe::conformance
