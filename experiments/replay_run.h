// Runs a recorded run again and says whether it came out the same.
#pragma once

#include "experiments/replay.h"
#include "experiments/runner.h"

namespace lathe::experiments {

// The request that repeats a record up to `to_step` (0: to its end): the recorded live changes at
// their steps, digests where the record has them, no checkpoints.
Result<RunRequest> replay_request(const RecordedRun& original, std::int64_t to_step);

// Runs it as a run of kind "replay" whose parent is the original, compares, emits ReplayVerdict.
// The error is that of a replay that failed or was stopped.
Result<ReplayVerdict> replay_run(const RecordedRun& original, std::int64_t to_step,
                                 const RunnerPorts& ports);

}  // namespace lathe::experiments
