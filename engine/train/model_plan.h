// From a spec to the plans of its linear slots: what every method asks for, checked.
#pragma once

#include <string>
#include <vector>

#include "engine/base/result.h"
#include "engine/nn/linear_plan.h"
#include "engine/nn/parameter.h"
#include "engine/train/train_spec.h"

namespace lathe {

// All config errors in one Error (kUsage), one per line. spec.model.vocab_size must be set.
Result<std::vector<LinearPlan>> plan_slots(const TrainSpec& spec,
                                           std::vector<std::string>& warnings);

// Whether parameters of that role are among the parts.
bool is_trained(TrainedParts parts, ParameterRole role);

// Parameters of the whole model with such slots.
std::int64_t count_parameters(const ModelConfig& model, const std::vector<LinearPlan>& slots);

}  // namespace lathe
