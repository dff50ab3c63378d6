// DKM beside the rest of a spec.
#pragma once

#include <string>
#include <vector>

#include "engine/nn/linear_plan.h"
#include "engine/train/train_spec.h"

namespace lathe {

// kUsage texts for slots whose matrices cannot be read through palettes; warnings for those that a
// packed palette cannot store.
void check_palettes(const TrainSpec& spec, const std::vector<LinearPlan>& slots,
                    std::vector<std::string>& errors, std::vector<std::string>& warnings);

}  // namespace lathe
