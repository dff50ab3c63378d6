// See plan_time_line.h.
#include "engine/train/plan_time_line.h"

#include "engine/backend/meta/meta_backend.h"
#include "engine/train/trainer.h"

namespace lathe {

Result<PlannedTimeLine> plan_time_line(const TrainSpec& spec, const MachineShape& machine) {
  const std::unique_ptr<Backend> meta = make_meta_backend(machine);
  std::vector<std::string> warnings;  // those of plan_step()
  auto trainer = make_trainer(*meta, spec, nullptr, warnings);
  if (!trainer) {
    return trainer.error();
  }
  if (const Result<StepReport> first = (*trainer)->step(); !first) {
    return first.error();
  }
  Ledger& ledger = meta->ledger();
  ledger.start_time_line();
  const Result<StepReport> second = (*trainer)->step();
  ledger.stop_time_line();
  if (!second) {
    return second.error();
  }
  return PlannedTimeLine{.events = ledger.time_line(),
                         .tags = ledger.tags(),
                         .peak = ledger.peak(),
                         .peak_phase = ledger.peak_phase(),
                         .peak_by_layer = ledger.peak_by_layer()};
}

}  // namespace lathe
