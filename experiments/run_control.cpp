// See run_control.h.
#include "experiments/run_control.h"

#include <algorithm>

namespace lathe::experiments {

void RunControl::pause() {
  const std::lock_guard lock(mutex_);
  paused_ = true;
}

void RunControl::resume() {
  {
    const std::lock_guard lock(mutex_);
    paused_ = false;
  }
  changed_.notify_all();
}

void RunControl::stop(StopKind kind) {
  {
    const std::lock_guard lock(mutex_);
    stop_ = std::max(stop_, kind);
    paused_ = false;
  }
  changed_.notify_all();
}

void RunControl::set_live(SetLive change) {
  const std::lock_guard lock(mutex_);
  live_.push_back(std::move(change));
}

StopKind RunControl::stop_kind() const {
  const std::lock_guard lock(mutex_);
  return stop_;
}

bool RunControl::paused() const {
  const std::lock_guard lock(mutex_);
  return paused_;
}

void RunControl::wait_while_paused() {
  std::unique_lock lock(mutex_);
  changed_.wait(lock, [this] { return !paused_ || stop_ != StopKind::kNone; });
}

std::vector<SetLive> RunControl::take_live() {
  const std::lock_guard lock(mutex_);
  return std::exchange(live_, {});
}

void RunControl::begin_run() {
  const std::lock_guard lock(mutex_);
  if (stop_ == StopKind::kStop) {
    stop_ = StopKind::kNone;
  }
  paused_ = false;
  live_.clear();
}

void RunControl::begin_work() {
  const std::lock_guard lock(mutex_);
  if (stop_ != StopKind::kInterrupt) {
    stop_ = StopKind::kNone;
  }
  paused_ = false;
  live_.clear();
}

}  // namespace lathe::experiments
