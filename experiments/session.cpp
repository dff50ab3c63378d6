// See session.h.
#include "experiments/session.h"

#include "experiments/clock.h"
#include "experiments/ids.h"
#include "experiments/replay_run.h"

namespace lathe::experiments {

Session::Session(SessionPorts ports) : ports_(std::move(ports)) {
  ports_.runner.control = &control_;
  thread_ = std::thread([this] { serve(); });
}

Session::~Session() {
  {
    const std::lock_guard lock(mutex_);
    leaving_ = true;
    waiting_.clear();
  }
  control_.stop(StopKind::kInterrupt);
  changed_.notify_all();
  thread_.join();
}

void Session::send(Command command) {
  if (std::holds_alternative<PauseRun>(command)) {
    return control_.pause();
  }
  if (std::holds_alternative<ResumeRun>(command)) {
    return control_.resume();
  }
  if (std::holds_alternative<StopRun>(command)) {
    return control_.stop(StopKind::kStop);
  }
  if (std::holds_alternative<StopAll>(command)) {
    return control_.stop(StopKind::kStopAll);
  }
  if (const auto* change = std::get_if<SetLive>(&command)) {
    return control_.set_live(*change);
  }
  {
    const std::lock_guard lock(mutex_);
    waiting_.push_back(std::move(command));
  }
  changed_.notify_all();
}

bool Session::busy() const {
  const std::lock_guard lock(mutex_);
  return working_ || !waiting_.empty();
}

void Session::wait_idle() {
  std::unique_lock lock(mutex_);
  changed_.wait(lock, [this] { return !working_ && waiting_.empty(); });
}

void Session::serve() {
  std::unique_lock lock(mutex_);
  for (;;) {
    changed_.wait(lock, [this] { return leaving_ || !waiting_.empty(); });
    if (leaving_) {
      return;
    }
    const Command command = std::move(waiting_.front());
    waiting_.pop_front();
    working_ = true;
    control_.begin_work();
    lock.unlock();
    carry_out(command);
    lock.lock();
    working_ = false;
    changed_.notify_all();
  }
}

void Session::carry_out(const Command& command) {
  if (const Result<void> started = start(command); !started) {
    ports_.runner.sink->on_event(LogLine{"", LogLevel::kError, started.error().text(), unix_ms()});
  }
}

Result<void> Session::start(const Command& command) {
  if (const auto* start_run = std::get_if<StartRun>(&command)) {
    auto spec = run_spec_from_json(start_run->spec);
    if (!spec) {
      return spec.error();
    }
    RunRequest request;
    request.run = new_id();
    request.spec = std::move(*spec);
    return start_stored({std::move(request), std::nullopt});
  }
  if (const auto* start_sweep = std::get_if<StartSweep>(&command)) {
    const auto sweep = sweep_from_json(start_sweep->sweep);
    if (!sweep) {
      return sweep.error();
    }
    auto work = begin_sweep(*sweep, ports_.predict, *ports_.runner.sink);
    if (!work) {
      return work.error();
    }
    return start_stored({std::nullopt, std::move(*work)});
  }
  if (const auto* stored = std::get_if<ContinueStored>(&command)) {
    const auto work = ports_.to_continue(stored->id);
    return work ? start_stored(*work) : work.error();
  }
  if (const auto* retry = std::get_if<RetryFailed>(&command)) {
    auto work = ports_.to_retry(retry->sweep);
    return work ? start_stored({std::nullopt, std::move(*work)}) : work.error();
  }
  if (const auto* replay = std::get_if<ReplayStored>(&command)) {
    const auto record = ports_.record(replay->run);
    if (!record) {
      return record.error();
    }
    const auto verdict = replay_run(*record, 0, ports_.runner);
    return verdict ? Result<void>() : verdict.error();
  }
  return {};
}

// A run that fails has said so in an event; only a refused one is an error here.
Result<void> Session::start_stored(const StoredWork& work) {
  if (work.sweep) {
    run_sweep(*work.sweep, ports_.runner, ports_.child);
  } else if (work.run) {
    const RunOutcome outcome = run_one(*work.run, ports_.runner);
    if (outcome.refused) {
      return *outcome.error;
    }
  }
  return {};
}

}  // namespace lathe::experiments
