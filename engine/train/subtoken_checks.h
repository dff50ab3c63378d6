// What VeLoRA asks of the rest of a spec, and what of it frees nothing there.
#pragma once

#include <string>
#include <vector>

#include "engine/nn/linear_plan.h"
#include "engine/train/train_spec.h"

namespace lathe {

// Errors: it cannot work. Warnings: it works, and bytes are not what it was chosen for.
void check_subtokens(const TrainSpec& spec, const std::vector<LinearPlan>& slots,
                     std::vector<std::string>& errors, std::vector<std::string>& warnings);

}  // namespace lathe
