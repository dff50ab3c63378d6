// The task that a run measures before its first step and after its last: an evaluation on the
// trainer's own weights, adapters and stored matrices as they are, without a second model.
#pragma once

#include "engine/data/text_coder.h"
#include "engine/eval/eval_model.h"
#include "engine/train/trainer.h"
#include "experiments/runner.h"
#include "experiments/step_events.h"

namespace lathe::experiments {

// A model that a run of `spec` trains or has trained, as an evaluation takes it. `coder` must
// outlive it.
EvalModel trained_model(Backend& backend, Transformer& transformer, const TrainSpec& spec,
                        const TextCoder& coder);

// Fills in the hash of eval.data, and data.without where a run on sets of sentiment measures one.
// Nothing where eval.data is empty. kUsage for a task that needs more than a model, kData for a
// file that cannot be read, kMismatch where it is not what eval.data_hash says.
Result<void> settle_task(RunSpec& spec);

// A run between two of its steps. `spec` is that of the request, its models resolved.
struct MeasuredRun {
  const RunRequest& request;
  const RunnerPorts& ports;
  const TrainSpec& spec;
  Trainer& trainer;
  const TextCoder& coder;
  StepEvents& events;
};

// Measures the task of eval.data and tells of it; nothing where that is empty, or where the run is
// told to end meanwhile. Errors as of evaluate(); kUsage where the run's corpus has no text.
Result<void> measure_task(const MeasuredRun& run);

}  // namespace lathe::experiments
