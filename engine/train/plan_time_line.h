// A step as a run records it, from the plan: allocation by allocation.
#pragma once

#include <string>
#include <vector>

#include "engine/base/result.h"
#include "engine/train/train_spec.h"

namespace lathe {

struct PlannedTimeLine {
  std::vector<LedgerEvent> events;
  std::vector<Tag> tags;  // that the events name
  LedgerSnapshot peak;    // the highest place of the time line
  std::string peak_phase;
  std::vector<LayerBytes> peak_by_layer;
};

// The second step on meta: the first one also makes what stays. Errors as plan_step().
Result<PlannedTimeLine> plan_time_line(const TrainSpec& spec, const MachineShape& machine);

}  // namespace lathe
