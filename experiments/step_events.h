// What a step tells, as events: metric batches, memory samples, the memory profile; and what the
// telling costs.
#pragma once

#include "engine/eval/evaluate.h"
#include "engine/train/trainer.h"
#include "experiments/events.h"

namespace lathe::experiments {

class StepEvents {
 public:
  StepEvents(RunId run, std::int64_t tokens_per_step, EventSink& sink)
      : run_(std::move(run)), tokens_per_step_(tokens_per_step), sink_(sink) {}

  // The facts of the model, at step 0.
  void model(const Trainer& trainer, std::int64_t dense_parameters);
  // How the model does before its first step.
  void first_evaluation(const EvalReport& eval);
  // What projections keep after step `step`: each slot's, the mean and the least.
  void probe(std::int64_t step, const std::vector<SubtokenProbe>& probes);
  // What palettes look like after step `step`, as a snapshot and as metrics: each slot's, and the
  // mean.
  void palettes(std::int64_t step, std::vector<PaletteView> views);
  // What a task came to after step `step`.
  void task(std::int64_t step, const EvalOutcome& outcome, double secs);
  // After a step and, where `eval` is given, the evaluation that followed it.
  void step(const StepReport& report, const EvalReport* eval, Backend& backend);
  // The time line that the ledger has just recorded of step `step`.
  void profile(std::int64_t step, const Ledger& ledger);

 private:
  RunId run_;
  std::int64_t tokens_per_step_;
  EventSink& sink_;
  double observer_secs_ = 0;  // so far
  double step_secs_ = 0;
};

}  // namespace lathe::experiments
