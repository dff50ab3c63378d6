// A model whose matrices adapters leave as they are, in the type that train.frozen names: what
// QLoRA takes, also of a model that is not here.
#pragma once

#include <memory>
#include <string>
#include <vector>

#include "engine/nn/transformer.h"
#include "engine/train/train_spec.h"

namespace lathe {

// The type that train.frozen names; f32 where it is `file`, or levels in groups that there are not.
DType frozen_dtype(const TrainConfig& train);

// Gives each given parameter memory: kTableType embedding and head, `matrices` the others. For meta
// alone.
void give_memory(Backend& backend, Transformer& transformer, DType matrices);

// The base without a file that spec.train.frozen tells of, which has memory and no values. Null
// where it is `file`. spec.model.vocab_size must be set.
std::shared_ptr<const GivenModel> planned_base(const TrainSpec& spec);

// What train.frozen asks of the rest of the spec: one sentence each.
void check_frozen(const TrainSpec& spec, const std::vector<LinearPlan>& slots,
                  std::vector<std::string>& errors);

}  // namespace lathe
