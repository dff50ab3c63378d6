// How an update of weights that are kept in bf16 without a master is rounded, for back ends in host
// memory; device/rounding.cuh is its twin.
#pragma once

#include <cstdint>

#include "engine/ops/optimizer_args.h"

namespace lathe {

// out[i] = values[i], rounded by the bits of element first + i of the step.
void round_at_random(const AdamwStepArgs& args, std::int64_t first, const float* values,
                     std::uint16_t* out, std::int64_t count);

}  // namespace lathe
