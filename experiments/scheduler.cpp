// See scheduler.h.
#include "experiments/scheduler.h"

#include <fmt/core.h>

#include <atomic>
#include <mutex>
#include <thread>

#include "experiments/clock.h"
#include "experiments/device.h"
#include "experiments/ids.h"
#include "experiments/predict.h"
#include "experiments/run_parts.h"
#include "experiments/teacher.h"

namespace lathe::experiments {
namespace {

// Exit codes of a child that was asked to end and saved its state.
bool says_interrupted(int exit_status) {
  return exit_status == 130 || exit_status == 143;
}

void count(const RunOutcome& outcome, SweepOutcome& sweep) {
  if (outcome.state == RunState::kDone) {
    ++sweep.done;
  } else if (outcome.state == RunState::kFailed) {
    ++sweep.failed;
  }
}

bool goes_on(const RunnerPorts& ports, SweepOutcome& outcome) {
  if (ports.trouble && !outcome.trouble) {
    outcome.trouble = ports.trouble();
  }
  const StopKind kind = ports.control->stop_kind();
  outcome.stopped = kind == StopKind::kStop ? StopKind::kNone : kind;
  return !outcome.trouble && outcome.stopped == StopKind::kNone;
}

void run_in_turn(const SweepWork& work, const RunnerPorts& ports, SweepOutcome& outcome) {
  for (const RunRequest& request : work.runs) {
    if (!goes_on(ports, outcome)) {
      return;
    }
    count(run_one(request, ports), outcome);
  }
  goes_on(ports, outcome);
}

RunOutcome run_in_child(const RunRequest& request, const RunnerPorts& ports,
                        const ChildRunner& child) {
  const auto plan = plan_run(request.spec, 0);
  if (!plan) {
    return {RunState::kFailed, 0, plan.error(), true};
  }
  if (request.attempt == 1) {  // the child finds its run in the store
    ports.sink->on_event(created_event(request, *plan));
  }
  const int status = child(request);
  if (status == 0) {  // the store knows more; this is for whoever watches
    ports.sink->on_event(LogLine{request.run, LogLevel::kInfo, "done", unix_ms()});
    return {};
  }
  if (says_interrupted(status)) {
    return {RunState::kInterrupted, 0, std::nullopt, false};
  }
  RunOutcome outcome{RunState::kFailed, 0, std::nullopt, false};
  if (status < 0) {  // it could not tell the store itself
    outcome.error =
        Error{ErrorKind::kFailed, fmt::format("the run's process was ended by signal {}", -status),
              "signal 9 is often the kernel's answer to too little memory; lower --jobs"};
    ports.sink->on_event(RunFailed{request.run, 0, *outcome.error});
  }
  return outcome;
}

void run_in_children(const SweepWork& work, const RunnerPorts& ports, const ChildRunner& child,
                     SweepOutcome& outcome) {
  std::mutex mutex;  // of `outcome`
  std::atomic<std::size_t> next{0};
  const auto take_points = [&] {
    for (;;) {
      const std::size_t index = next.fetch_add(1);
      {
        const std::lock_guard lock(mutex);
        if (index >= work.runs.size() || !goes_on(ports, outcome)) {
          return;
        }
      }
      const RunOutcome ended = run_in_child(work.runs[index], ports, child);
      const std::lock_guard lock(mutex);
      count(ended, outcome);
    }
  };
  std::vector<std::jthread> workers;
  for (std::int64_t i = 0; i < work.jobs; ++i) {
    workers.emplace_back(take_points);
  }
  workers.clear();  // joins
  goes_on(ports, outcome);
}

}  // namespace

Result<SweepWork> begin_sweep(const SweepSpec& sweep, const Predictor& predict, EventSink& sink) {
  const auto base = run_spec_from_json(sweep.base);
  if (!base) {
    return base.error();
  }
  // All points want the same device, so its absence is the sweep's error and not one of each point.
  if (const auto device = resolve_device(base->device); !device) {
    return device.error();
  }
  const auto points = expand(sweep, predict);
  if (!points) {
    return points.error();
  }
  SweepWork work;
  work.sweep = new_id();
  work.jobs = sweep.jobs;
  for (const PlannedPoint& point : *points) {
    if (!point.excluded_because.empty()) {
      ++work.excluded;
      continue;
    }
    auto spec = run_spec_from_json(point.spec);
    if (!spec) {
      return spec.error();
    }
    if (const Result<void> settled = settle_models(spec->train); !settled) {
      return settled.error();
    }
    RunRequest request;
    request.run = point.run;
    request.spec = std::move(*spec);
    request.sweep = work.sweep;
    request.point = point.index;
    work.runs.push_back(std::move(request));
  }
  if (work.runs.empty()) {
    return Error{ErrorKind::kUsage,
                 "no point of the sweep can run; the first: " + points->front().excluded_because,
                 "`lathe sweep CONFIG --plan` lists all points with their reasons"};
  }
  sink.on_event(SweepCreated{work.sweep, sweep.name, to_json(sweep), *points});
  return work;
}

SweepOutcome run_sweep(const SweepWork& work, const RunnerPorts& ports, const ChildRunner& child) {
  SweepOutcome outcome{work.done, work.failed, work.excluded, StopKind::kNone, std::nullopt};
  if (work.jobs > 1 && child) {
    run_in_children(work, ports, child, outcome);
  } else {
    run_in_turn(work, ports, outcome);
  }
  const bool stopped = outcome.stopped != StopKind::kNone || outcome.trouble.has_value();
  ports.sink->on_event(
      SweepFinished{work.sweep, outcome.done, outcome.failed, outcome.excluded, stopped});
  return outcome;
}

}  // namespace lathe::experiments
