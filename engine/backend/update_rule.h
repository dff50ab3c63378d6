// The numbers of an AdamW step beside its tensors: worked out on the host, and read back from a
// tensor by back ends in host memory.
#pragma once

#include "engine/ops/optimizer_args.h"

namespace lathe {

// 1 / (1 - beta^step), the correction of a moment's bias.
double bias_correction(float beta, std::int64_t step);

// From lr, weight_decay, clip_norm, betas and step of `args`.
UpdateValues update_values(const AdamwStepArgs& args);

// `args` with those of args.values in their places, where it is defined.
AdamwStepArgs with_update_values(AdamwStepArgs args);

}  // namespace lathe
