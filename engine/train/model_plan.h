// From a spec to the plans of its linear slots: what every method asks for, checked.
#pragma once

#include <string>
#include <vector>

#include "engine/base/result.h"
#include "engine/nn/linear_plan.h"
#include "engine/nn/parameter.h"
#include "engine/nn/transformer.h"
#include "engine/train/train_spec.h"

namespace lathe {

// All config errors in one Error (kUsage), one per line. spec.model.vocab_size must be set.
Result<std::vector<LinearPlan>> plan_slots(const TrainSpec& spec,
                                           std::vector<std::string>& warnings);

// Whether parameters of that role are among the parts.
bool is_trained(TrainedParts parts, ParameterRole role);

// Whether what model.from brings tells another number of classes apart, so that its head is drawn
// anew.
bool has_new_head(const TrainSpec& spec);

// Whether there are adapters and nothing else is trained, but the head of a model of images.
bool adapters_alone(const std::vector<LinearPlan>& slots);
// Whether embedding and head are used as the file of model.from stores them, as such slots are.
TableMemory table_memory(const TrainSpec& spec, const std::vector<LinearPlan>& slots);

// Parameters of the whole model with such slots.
std::int64_t count_parameters(const ModelConfig& model, const std::vector<LinearPlan>& slots);

}  // namespace lathe
