// What a run will cost, before it runs: the engine's plan with what the engine leaves to its caller
// (vocabulary and threads) filled in.
#pragma once

#include "engine/base/result.h"
#include "engine/train/trainer.h"
#include "experiments/run_spec.h"
#include "experiments/sweep.h"

namespace lathe::experiments {

// The spec's models as they will be built: the teacher that distill.from names (open_teacher); the
// shape of what model.from names (settle_model), or
// model.vocab_size filled in from the corpus' tokenizer or the images' classes; kUsage if it is set
// but too small for the tokenizer's ids.
Result<TrainSpec> resolve_model(const TrainSpec& spec);

// What the engine plans with: the spec with resolve_model()'s models, and the shape of the machine,
// asked of the device itself, so that the plan's workspaces are those of the run.
struct PlanCase {
  TrainSpec spec;
  MachineShape machine;
};
// `threads` as plan_run() has it.
Result<PlanCase> plan_case(const RunSpec& spec, int threads);

// One step of the run on the meta back end, for `threads` engine threads: 0 means the spec's, and
// if that is 0 too what the run itself would use.
Result<PlanReport> plan_run(const RunSpec& spec, int threads);

// kOutOfMemory, saying what is there and what would help, where the plan does not fit the device
// (by its resolved name).
Result<void> check_memory(const PlanReport& plan, const std::string& device);

// plan_run as what `expand` asks of a point.
Predictor make_predictor(int threads);

}  // namespace lathe::experiments
