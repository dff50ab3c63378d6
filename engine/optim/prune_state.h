// Takes most of an optimizer's memory of one parameter away (ReLoRA, arXiv 2307.05695, section 3).
#pragma once

#include "engine/backend/backend.h"
#include "engine/ops/optimizer_args.h"

namespace lathe {

// Zeroes floor(share * elements) elements of the first moment m, those of least size, and the same
// ones of the second moment v; of equal sizes the earlier go. m, v: of equal shapes, in f32 or in
// codes, of which those that stay keep their bits. Waits for the device.
void prune_state(Backend& backend, const MomentRef& m, const MomentRef& v, double share);

}  // namespace lathe
