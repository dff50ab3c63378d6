// plan_step: one optimizer step and one evaluation batch on meta, whose ledger is the real one's.
#include <algorithm>

#include "engine/backend/meta/meta_backend.h"
#include "engine/methods/velora/paper_count.h"
#include "engine/train/data_checks.h"
#include "engine/train/model_plan.h"
#include "engine/train/trainer.h"

namespace lathe {
namespace {

// 0 of a spec without projections.
std::int64_t input_bytes_by_the_paper(TrainSpec spec) {
  settle_images(spec);
  std::vector<std::string> told_before;
  const auto slots = plan_slots(spec, told_before);
  const bool projects =
      slots && std::any_of(slots->begin(), slots->end(),
                           [](const LinearPlan& slot) { return slot.subtokens.groups > 0; });
  return projects ? paper_input_bytes(*slots, spec.train.batch_size * spec.train.seq_len) : 0;
}

}  // namespace

Result<PlanReport> plan_step(const TrainSpec& spec, const MachineShape& machine) {
  TrainSpec once = spec;
  once.train.eval_batches = 1;
  const std::unique_ptr<Backend> meta = make_meta_backend(machine);
  PlanReport report;
  auto trainer = make_trainer(*meta, once, nullptr, report.warnings);
  if (!trainer) {
    return trainer.error();
  }
  Ledger& ledger = meta->ledger();
  ledger.start_time_line();
  const Result<StepReport> step = (*trainer)->step();
  report.bytes_per_step = meta->counters().total_bytes;
  if (!step) {
    return step.error();
  }
  if (spec.train.eval_every > 0) {  // the peak is kept: step() resets it only at its beginning
    const Result<EvalReport> evaluated = (*trainer)->evaluate();
    if (!evaluated) {
      return evaluated.error();
    }
  }
  ledger.stop_time_line();
  report.parameters = (*trainer)->parameter_count();
  report.dense_parameters = count_parameters(spec.model, dense_plan(spec.model));
  report.stored_bytes = (*trainer)->stored_bytes();
  report.peak = ledger.peak();
  report.peak_phase = ledger.peak_phase();
  report.peak_by_layer = ledger.peak_by_layer();
  report.flops_per_step = step->flops;
  report.paper_input_bytes = input_bytes_by_the_paper(spec);
  if (report.paper_input_bytes > 0) {  // the first step draws directions, too; later ones do not
    const Result<StepReport> later = (*trainer)->step();
    if (!later) {
      return later.error();
    }
    report.flops_per_step = later->flops;
    report.bytes_per_step = meta->counters().total_bytes;
  }
  return report;
}

}  // namespace lathe
