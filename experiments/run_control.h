// What the outside may ask of a run while it trains; the runner looks between steps.
#pragma once

#include <condition_variable>
#include <mutex>
#include <string>
#include <vector>

#include "experiments/events.h"

namespace lathe::experiments {

// How a run is to end before its last step.
enum class StopKind : std::uint8_t {
  kNone,
  kStop,      // a person ended this run; the sweep goes on
  kStopAll,   // and the sweep
  kInterrupt  // the process has to go (Ctrl-C): all ends, and is marked so
};

// Thread-safe. One object serves all runs of a session, one after another.
class RunControl {
 public:
  void pause();
  void resume();
  // A stronger request replaces a weaker one; ends a pause.
  void stop(StopKind kind);
  void set_live(SetLive change);

  // For the runner.
  StopKind stop_kind() const;
  bool paused() const;
  // Blocks while paused; returns at once on a stop.
  void wait_while_paused();
  std::vector<SetLive> take_live();
  // Before the next run: a stop of one run, a pause and left-over changes do not reach into it.
  void begin_run();
  // Before the next sweep or lone run.
  void begin_work();

 private:
  mutable std::mutex mutex_;
  std::condition_variable changed_;
  bool paused_ = false;
  StopKind stop_ = StopKind::kNone;
  std::vector<SetLive> live_;
};

}  // namespace lathe::experiments
