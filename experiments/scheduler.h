// Runs the points of a sweep, one after another or in child processes. A point that fails is
// recorded with its reason, and the sweep goes on.
#pragma once

#include <cstdint>
#include <functional>
#include <optional>
#include <vector>

#include "experiments/runner.h"
#include "experiments/sweep.h"

namespace lathe::experiments {

// What is to be done of a sweep now: all of it, or what a former attempt left.
struct SweepWork {
  SweepId sweep;
  std::vector<RunRequest> runs;  // in order
  std::int64_t jobs = 1;         // at once, each in a process of its own where above 1
  // Points that are settled and not run now.
  std::int64_t done = 0;
  std::int64_t failed = 0;
  std::int64_t excluded = 0;
};

struct SweepOutcome {
  std::int64_t done = 0;
  std::int64_t failed = 0;
  std::int64_t excluded = 0;
  StopKind stopped = StopKind::kNone;
  std::optional<Error> trouble;  // the store failed: no further point was begun
};

// Runs one recorded run in a child process that writes to the same store; given by the application,
// which knows its own binary. Blocks; the exit code, or minus the signal that ended the child. Is
// called from `jobs` threads. It passes an interruption on to the child.
using ChildRunner = std::function<int(const RunRequest&)>;

// Plans a sweep and records it (SweepCreated). kUsage if no point can run, with the first reason.
Result<SweepWork> begin_sweep(const SweepSpec& sweep, const Predictor& predict, EventSink& sink);

// Blocks until the last point has ended or a stop was asked for. Emits the runs' events and
// SweepFinished.
SweepOutcome run_sweep(const SweepWork& work, const RunnerPorts& ports, const ChildRunner& child);

}  // namespace lathe::experiments
