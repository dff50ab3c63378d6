// AdamW on what GaLore shows it of a gradient (arXiv 2403.03507, algorithm 2).
#pragma once

#include "engine/nn/gradient_projection.h"

namespace lathe {

// One update of parameter.weight: AdamW's of the projected gradient, whose shape moments have,
// times P and alpha; decay is that of the weight itself. Clipped and refused as `by` says, of which
// tensors are not used. What is left of the gradient in its whole size is given back.
void projected_step(Backend& backend, Parameter& parameter, const MomentRef& m, const MomentRef& v,
                    AdamwStepArgs by);

}  // namespace lathe
