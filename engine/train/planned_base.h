// A model that adapters would stand beside, known by its shape and the type that its file would
// have: what QLoRA of a model that is not here would take.
#pragma once

#include <memory>
#include <string>
#include <vector>

#include "engine/train/train_spec.h"

namespace lathe {

// The base that spec.train.frozen tells of, which gives memory and no values: for meta alone. Null
// where it is `file`. spec.model.vocab_size must be set.
std::shared_ptr<const GivenModel> planned_base(const TrainSpec& spec);

// What train.frozen asks of the rest of the spec: one sentence each.
void check_frozen(const TrainSpec& spec, const std::vector<LinearPlan>& slots,
                  std::vector<std::string>& errors);

}  // namespace lathe
