// The engine's thread for a program that must not wait: commands in, events out, one piece of work
// after another. The window drives it; whoever may wait calls run_one, run_sweep and replay_run
// directly.
#pragma once

#include <condition_variable>
#include <deque>
#include <functional>
#include <mutex>
#include <thread>

#include "experiments/replay.h"
#include "experiments/scheduler.h"

namespace lathe::experiments {

// What a stored run or sweep still wants: one of the two is set, or neither if nothing is left.
struct StoredWork {
  std::optional<RunRequest> run;
  std::optional<SweepWork> sweep;
};

// Ways to the store and to the machine, as functions, so that nothing here knows either.
struct SessionPorts {
  RunnerPorts runner;  // its control is the session's own
  Predictor predict;
  ChildRunner child;
  std::function<Result<StoredWork>(const std::string& id)> to_continue;
  std::function<Result<SweepWork>(const SweepId& sweep)> to_retry;
  std::function<Result<RecordedRun>(const RunId& run)> record;
};

class Session final : public CommandSink {
 public:
  explicit Session(SessionPorts ports);
  // Ends what runs after its step, with a checkpoint, marked as interrupted; drops what waits.
  ~Session() override;

  // Returns at once. Pause, stop and live changes concern what runs now; the others wait their
  // turn. A command that cannot be carried out gives a LogLine of level kError.
  void send(Command command) override;

  // Something runs or waits.
  bool busy() const;
  // Blocks until nothing runs or waits.
  void wait_idle();

 private:
  void serve();
  void carry_out(const Command& command);
  Result<void> start(const Command& command);
  Result<void> start_stored(const StoredWork& work);

  SessionPorts ports_;
  RunControl control_;
  mutable std::mutex mutex_;
  std::condition_variable changed_;
  std::deque<Command> waiting_;
  bool working_ = false;
  bool leaving_ = false;
  std::thread thread_;
};

}  // namespace lathe::experiments
