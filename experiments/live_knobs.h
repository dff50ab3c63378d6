// What may change while a run trains, by the names of its parameters.
#pragma once

#include <string>

#include "engine/train/trainer.h"
#include "experiments/events.h"

namespace lathe::experiments {

// The value: the full path of the parameter. kUsage for one that cannot be changed so, or a value
// that is not legal; then nothing has changed.
Result<std::string> set_live(const SetLive& change, Trainer& trainer);

}  // namespace lathe::experiments
