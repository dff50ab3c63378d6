// What GaLore asks of the rest of a spec.
#pragma once

#include <string>
#include <vector>

#include "engine/nn/linear_plan.h"
#include "engine/train/train_spec.h"

namespace lathe {

// Of slots as all methods have left them.
void check_galore(const TrainSpec& spec, const std::vector<LinearPlan>& slots,
                  std::vector<std::string>& errors);

}  // namespace lathe
