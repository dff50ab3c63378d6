// The memory of a step that settings would need, allocation by allocation, before anything runs.
#pragma once

#include <cstdint>
#include <vector>

#include "engine/base/json.h"
#include "experiments/events.h"
#include "ui/model/preview.h"
#include "ui/model/step_memory.h"

namespace lathe::ui {

struct PlannedScene {
  StepScene scene;
  LedgerSnapshot peak;
  std::vector<std::int64_t> sub_token_sizes;  // that cut the inputs of every slot, ascending
};

// Its questions are RunSpec documents.
using StepPreview = Preview<Json, PlannedScene>;

}  // namespace lathe::ui
