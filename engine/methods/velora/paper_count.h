// Bytes as VeLoRA's paper counts them, to be compared with its tables: not what any engine keeps.
#pragma once

#include <cstdint>
#include <vector>

#include "engine/nn/linear_plan.h"

namespace lathe {

// The inputs of the slots that are trained (those with an adapter, where there are any), in 16
// bits: each slot's its own, also where several read one, or the projections in its place (tables 3
// and 6 of arXiv 2405.17991; table 5b has eight times those of projections).
std::int64_t paper_input_bytes(const std::vector<LinearPlan>& slots, std::int64_t tokens);

}  // namespace lathe
