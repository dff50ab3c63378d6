// What a checkpoint is known by.
#pragma once

#include <string>

#include "engine/train/train_spec.h"

namespace lathe {

// A digest of all that decides the tensors of a run. What came later and decides nothing at its
// default is left out, so that checkpoints of before are still those of their spec.
std::string spec_digest(const TrainSpec& spec);

}  // namespace lathe
