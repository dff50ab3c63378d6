// Runs one spec from start to end: back end, corpus, trainer, loop, events. Everything that can go
// wrong on the way becomes a RunFailed event; nothing is thrown.
#pragma once

#include <cstdint>
#include <functional>
#include <optional>
#include <set>
#include <string>
#include <vector>

#include "engine/data/token_source.h"
#include "engine/train/trainer.h"
#include "experiments/events.h"
#include "experiments/run_control.h"
#include "experiments/run_spec.h"

namespace lathe::experiments {

// A run to be done, or to be gone on with.
struct RunRequest {
  RunId run;
  RunSpec spec;
  SweepId sweep;  // with its point; empty for a lone run
  std::int64_t point = -1;
  RunId parent;  // of a replay
  std::string kind = "train";
  std::int64_t attempt = 1;
  // A checkpoint folder to go on from, and its step; empty: from the beginning.
  std::string checkpoint;
  std::int64_t from_step = 0;
  // Recorded changes that are to be repeated at their steps (replay; resume from further back).
  std::vector<LiveChanged> live_changes;
  // Ends after this step; 0: after the spec's last.
  std::int64_t last_step = 0;
  // Also takes a parameter digest after these steps.
  std::set<std::int64_t> digest_steps;
  bool checkpoints = true;
};

// How the runner meets the rest of the program.
struct RunnerPorts {
  EventSink* sink = nullptr;
  RunControl* control = nullptr;
  // Asked after each step: a reason to end the run because its events are not kept any more.
  std::function<std::optional<Error>()> trouble;
  // Facts of the build, stored with each attempt.
  Json environment = Json::object();
  // A folder per run is made in it, a folder per checkpoint in that.
  std::string checkpoint_root;
  // Opens the corpus; the engine's open_corpus where empty.
  std::function<Result<std::shared_ptr<const TokenSource>>(const TrainSpec&, const CorpusProgress&)>
      open_data;
};

struct RunOutcome {
  RunState state = RunState::kDone;
  std::int64_t step = 0;
  std::optional<Error> error;  // of a failed run
  bool refused = false;        // illegal in itself: no event tells of it
};

// Blocks until the run has ended. Emits RunCreated unless this is a further attempt, then
// RunStarted, the run's metrics and RunFinished or RunFailed. A spec that is illegal in itself is
// refused without an event.
RunOutcome run_one(const RunRequest& request, const RunnerPorts& ports);

}  // namespace lathe::experiments
