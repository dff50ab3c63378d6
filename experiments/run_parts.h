// What a run is before its first step: the event that tells of it; back end, corpus, and the
// trainer that uses both.
#pragma once

#include <memory>

#include "experiments/runner.h"

namespace lathe::experiments {

// What tells of a new run, with its plan.
RunCreated created_event(const RunRequest& request, const PlanReport& plan);

// What an attempt ran with, of all that is not in its spec.
Json environment_of(const RunnerPorts& ports, const Backend& backend, const TokenSource& data);

// Later members use those before.
struct RunParts {
  std::unique_ptr<Backend> backend;
  std::shared_ptr<const TokenSource> data;
  std::unique_ptr<Trainer> trainer;
  TextCoder coder;  // reads text as the run does; empty where its corpus has none
};

// `train`: request.spec.train with its vocabulary settled; `plan`: of the same spec. A checkpoint
// that the request goes on from is loaded. Progress of reading the corpus goes to ports.sink.
Result<RunParts> make_run_parts(const RunRequest& request, const RunnerPorts& ports,
                                const TrainSpec& train, const PlanReport& plan);

}  // namespace lathe::experiments
