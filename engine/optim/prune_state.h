// Takes most of an optimizer's memory of one parameter away (ReLoRA, arXiv 2307.05695, section 3).
#pragma once

#include "engine/backend/backend.h"

namespace lathe {

// Zeroes floor(share * elements) elements of the first moment m, those of least size, and the same
// ones of the second moment v; of equal sizes the earlier go. m, v: f32 of equal shapes. Waits for
// the device.
void prune_state(Backend& backend, TensorRef m, TensorRef v, double share);

}  // namespace lathe
