// See replay_run.h.
#include "experiments/replay_run.h"

#include "experiments/event_bus.h"
#include "experiments/ids.h"

namespace lathe::experiments {

Result<RunRequest> replay_request(const RecordedRun& original, std::int64_t to_step) {
  auto spec = spec_to_replay(original);
  if (!spec) {
    return spec.error();
  }
  if (original.last_step < 1) {
    return Error{ErrorKind::kMismatch, "run " + original.id + " has no recorded step",
                 "`lathe resume " + original.id + "` goes on with it"};
  }
  RunRequest request;
  request.run = new_id();
  request.spec = std::move(*spec);
  request.kind = "replay";
  request.parent = original.id;
  request.live_changes = original.live_changes;
  request.last_step = to_step > 0 ? std::min(to_step, original.last_step) : original.last_step;
  for (const auto& [step, digest] : original.digests) {
    request.digest_steps.insert(step);
  }
  request.checkpoints = false;
  return request;
}

Result<ReplayVerdict> replay_run(const RecordedRun& original, std::int64_t to_step,
                                 const RunnerPorts& ports) {
  const auto request = replay_request(original, to_step);
  if (!request) {
    return request.error();
  }
  RunRecorder recorder(request->run);
  EventBus bus;
  bus.add(*ports.sink);
  bus.add(recorder);
  RunnerPorts both = ports;
  both.sink = &bus;
  const RunOutcome outcome = run_one(*request, both);
  if (outcome.error) {
    return *outcome.error;
  }
  if (outcome.state != RunState::kDone) {
    return Error{ErrorKind::kInterrupted, "the replay was stopped; nothing was compared", ""};
  }
  ReplayVerdict verdict =
      compare_runs(original, recorder.record(), {.to_step = request->last_step});
  ports.sink->on_event(verdict);
  return verdict;
}

}  // namespace lathe::experiments
