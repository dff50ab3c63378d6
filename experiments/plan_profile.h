// The memory of a step that a run would need, as one that ran records it.
#pragma once

#include <cstdint>
#include <vector>

#include "engine/base/result.h"
#include "experiments/events.h"
#include "experiments/run_spec.h"

namespace lathe::experiments {

struct PlannedProfile {
  MemoryProfile profile;  // of the second step, and of no run
  // Sizes of sub-tokens (method.velora.sub_token_size) that cut the inputs of every linear slot
  // into whole ones, ascending, from 2 on.
  std::vector<std::int64_t> sub_token_sizes;
};

// Errors and `threads` as plan_run().
Result<PlannedProfile> plan_profile(const RunSpec& spec, int threads);

}  // namespace lathe::experiments
