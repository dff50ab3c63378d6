// See runner.h.
#include "experiments/runner.h"

#include <fmt/core.h>

#include <algorithm>
#include <filesystem>

#include "engine/backend/failure.h"
#include "engine/base/format.h"
#include "engine/train/trainer.h"
#include "experiments/checkpoint_folders.h"
#include "experiments/clock.h"
#include "experiments/device.h"
#include "experiments/live_knobs.h"
#include "experiments/predict.h"
#include "experiments/run_parts.h"
#include "experiments/run_task.h"
#include "experiments/step_events.h"
#include "experiments/teacher.h"

namespace lathe::experiments {
namespace {

// The time line is kept of this step of an attempt: the first one also makes what stays.
constexpr std::int64_t kProfiledStep = 2;

// One run on its way; each member function is a stage of it.
class Run {
 public:
  Run(const RunRequest& request, const RunnerPorts& ports) : request_(request), ports_(ports) {}

  RunOutcome run();

 private:
  Result<void> announce();
  Result<void> prepare();
  Result<void> begin();
  Result<void> measure_base();
  Result<void> measure();
  Result<RunState> loop();
  Result<void> one_step();
  Result<void> catch_up();
  std::optional<Error> catch_up_after_failure();
  Result<void> change_live(const SetLive& change);
  Result<void> apply_changes();
  void pause();
  Result<void> save();
  void take_digest();
  Result<RunState> end_early(StopKind kind);
  Result<void> after_step(std::int64_t step);
  bool evaluates_at(std::int64_t step) const;
  bool saves_at(std::int64_t step) const;
  bool probes_at(std::int64_t step) const {
    return train_.train.probe_every > 0 && step % train_.train.probe_every == 0;
  }

  void emit(Event event) { ports_.sink->on_event(event); }
  void log(LogLevel level, std::string text) {
    emit(LogLine{request_.run, level, std::move(text), unix_ms()});
  }
  std::int64_t last_step() const {
    const std::int64_t steps = request_.spec.train.train.steps;
    return request_.last_step > 0 ? std::min(request_.last_step, steps) : steps;
  }
  std::int64_t steps_done() const {
    return trainer_ == nullptr ? request_.from_step : trainer_->steps_done();
  }

  RunRequest request_;
  const RunnerPorts& ports_;
  TrainSpec train_;
  PlanReport plan_;
  std::unique_ptr<Backend> backend_;
  std::shared_ptr<const TokenSource> data_;
  std::unique_ptr<Trainer> trainer_;
  std::unique_ptr<StepEvents> events_;
  TextCoder coder_;
  std::size_t next_change_ = 0;
  std::int64_t saved_step_ = -1;
};

// What is known before anything is built: is the spec legal, does it fit?
Result<void> Run::announce() {
  const Result<void> settled = settle_models(request_.spec.train);
  if (const Result<void> known = settled ? settle_task(request_.spec) : settled; !known) {
    return known;
  }
  auto plan = plan_run(request_.spec, 0);
  if (!plan) {
    return plan.error();
  }
  plan_ = std::move(*plan);
  auto resolved = resolve_model(request_.spec.train);
  if (!resolved) {
    return resolved.error();
  }
  train_ = std::move(*resolved);
  if (request_.attempt == 1) {
    emit(created_event(request_, plan_));
  }
  for (const std::string& warning : plan_.warnings) {
    log(LogLevel::kWarning, warning);
  }
  return {};
}

// Back end, corpus, model.
Result<void> Run::prepare() {
  auto parts = make_run_parts(request_, ports_, train_, plan_);
  if (!parts) {
    return parts.error();
  }
  backend_ = std::move(parts->backend);
  data_ = std::move(parts->data);
  trainer_ = std::move(parts->trainer);
  coder_ = std::move(parts->coder);
  if (const std::string note = left_out_note(data_->info()); !note.empty()) {
    log(LogLevel::kWarning, note);
  }
  return {};
}

Result<void> Run::begin() {
  if (const Result<void> prepared = prepare(); !prepared) {
    return prepared;
  }
  RunStarted started;
  started.run = request_.run;
  started.attempt = request_.attempt;
  started.from_step = trainer_->steps_done();
  started.total_steps = last_step();
  started.environment = environment_of(ports_, *backend_, *data_);
  if (const std::string why = why_auto_is_cpu(); request_.spec.device == "auto" && !why.empty()) {
    log(LogLevel::kInfo, "device auto is cpu: " + why);
  }
  started.data_digest = data_->info().digest;
  emit(started);
  const TrainConfig& train = train_.train;
  events_ = std::make_unique<StepEvents>(
      request_.run, train.batch_size * train.seq_len * train.grad_accum, *ports_.sink);
  if (started.from_step == 0) {
    events_->model(*trainer_, plan_.dense_parameters);
    if (train.eval_every > 0) {
      events_->palettes(0, trainer_->view_palettes());
    }
    const Result<void> looked = measure_base();
    if (const Result<void> measured = looked ? measure() : looked; !measured) {
      return measured;
    }
  }
  saved_step_ = request_.checkpoint.empty() ? -1 : started.from_step;
  // Changes up to the checkpoint are part of it.
  while (next_change_ < request_.live_changes.size() &&
         request_.live_changes[next_change_].step < started.from_step) {
    ++next_change_;
  }
  return {};
}

// What training makes of a model that exists shows against what it was.
Result<void> Run::measure_base() {
  if (train_.model.from.empty() || train_.train.eval_every == 0) {
    return {};
  }
  const auto eval = trainer_->evaluate();
  if (!eval) {
    return eval.error();
  }
  events_->first_evaluation(*eval);
  return {};
}

Result<void> Run::measure() {
  return measure_task({request_, ports_, train_, *trainer_, coder_, *events_});
}

Result<void> Run::change_live(const SetLive& change) {
  const auto path = set_live(change, *trainer_);
  if (!path) {
    return path.error();
  }
  emit(LiveChanged{request_.run, trainer_->steps_done(), *path, change.value});
  return {};
}

// Recorded changes of this step first, then those asked for now. A wrong one is told, not fatal.
Result<void> Run::apply_changes() {
  const auto& recorded = request_.live_changes;
  const std::vector<SetLive> asked = ports_.control->take_live();
  const auto is_due = [&] {
    return next_change_ < recorded.size() && recorded[next_change_].step <= trainer_->steps_done();
  };
  if (is_due() || !asked.empty()) {
    if (const Result<void> caught_up = catch_up(); !caught_up) {
      return caught_up;
    }
  }
  while (is_due()) {
    const LiveChanged& change = recorded[next_change_++];
    if (const auto changed = change_live({change.param, change.value}); !changed) {
      return changed;
    }
  }
  for (const SetLive& change : asked) {
    if (const auto changed = change_live(change); !changed) {
      log(LogLevel::kError, changed.error().text());
    }
  }
  return {};
}

void Run::pause() {
  emit(RunPaused{request_.run, trainer_->steps_done()});
  ports_.control->wait_while_paused();
  emit(RunResumed{request_.run, trainer_->steps_done()});
}

void Run::take_digest() {
  emit(DigestTaken{request_.run, trainer_->steps_done(), trainer_->parameter_digest()});
}

Result<void> Run::save() {
  if (const Result<void> caught_up = catch_up(); !caught_up) {
    return caught_up;
  }
  const std::int64_t step = trainer_->steps_done();
  take_digest();
  if (!request_.checkpoints || saved_step_ == step) {
    return {};
  }
  const std::filesystem::path folder =
      std::filesystem::path(ports_.checkpoint_root) / request_.run / fmt::format("step-{}", step);
  const Result<void> saved = trainer_->save(folder.string());
  if (!saved) {
    return saved;
  }
  saved_step_ = step;
  emit(CheckpointSaved{request_.run, step, folder.string(), folder_bytes(folder)});
  const auto kept = static_cast<std::size_t>(train_.train.checkpoints_kept);
  for (const std::int64_t dropped : drop_old_checkpoints(folder, kept)) {
    emit(CheckpointRemoved{request_.run, dropped});
  }
  return {};
}

// Waits for the steps on their way and tells of them.
Result<void> Run::catch_up() {
  std::vector<StepReport> reports;
  const Result<void> done = trainer_->wait(reports);
  for (const StepReport& report : reports) {
    events_->step(report, nullptr, *backend_);
  }
  return done;
}

// Steps that were done before something failed are told of where the device still answers; the
// value is what was wrong with one of them.
std::optional<Error> Run::catch_up_after_failure() {
  if (events_ == nullptr) {
    return std::nullopt;
  }
  try {
    const Result<void> done = catch_up();
    return done ? std::nullopt : std::optional(done.error());
  } catch (const std::exception&) {
    return std::nullopt;
  }
}

bool Run::evaluates_at(std::int64_t step) const {
  const std::int64_t every = train_.train.eval_every;
  return every > 0 && (step % every == 0 || step == request_.spec.train.train.steps);
}

bool Run::saves_at(std::int64_t step) const {
  const std::int64_t every = train_.train.checkpoint_every;
  return (every > 0 && step % every == 0) || step == last_step();
}

Result<void> Run::one_step() {
  Ledger& ledger = backend_->ledger();
  const std::int64_t step = trainer_->steps_done() + 1;
  const std::int64_t in_attempt = step - request_.from_step;
  const bool profiled = in_attempt == std::min(kProfiledStep, last_step() - request_.from_step);
  if (profiled) {
    ledger.start_time_line();
  }
  std::vector<StepReport> reports;
  Result<void> done = trainer_->advance(reports);
  if (profiled) {
    ledger.stop_time_line();
  }
  if (done && (profiled || evaluates_at(step) || saves_at(step) || probes_at(step) ||
               request_.digest_steps.contains(step))) {
    done = trainer_->wait(reports);
  }
  std::optional<EvalReport> evaluated;
  if (done && evaluates_at(step)) {
    const auto eval = trainer_->evaluate();
    done = eval ? Result<void>() : Result<void>(eval.error());
    evaluated = eval ? std::optional(*eval) : std::nullopt;
  }
  if (done && profiled) {
    events_->profile(step, ledger);
  }
  for (const StepReport& report : reports) {
    const bool measured = evaluated && report.step == step;
    events_->step(report, measured ? &*evaluated : nullptr, *backend_);
  }
  return done ? after_step(step) : done;
}

Result<void> Run::after_step(std::int64_t step) {
  if (probes_at(step)) {
    events_->probe(step, trainer_->probe());
  }
  if (evaluates_at(step)) {
    events_->palettes(step, trainer_->view_palettes());
  }
  if (saves_at(step)) {
    return save();
  }
  if (request_.digest_steps.contains(step)) {
    take_digest();
  }
  return {};
}

Result<RunState> Run::end_early(StopKind kind) {
  if (const Result<void> saved = save(); !saved) {
    return saved.error();
  }
  return kind == StopKind::kInterrupt ? RunState::kInterrupted : RunState::kStopped;
}

Result<RunState> Run::loop() {
  RunControl& control = *ports_.control;
  while (trainer_->steps_done() < last_step()) {
    if (control.paused()) {
      if (const Result<void> caught_up = catch_up(); !caught_up) {
        return caught_up.error();
      }
      pause();
    }
    if (const StopKind kind = control.stop_kind(); kind != StopKind::kNone) {
      return end_early(kind);
    }
    if (const Result<void> changed = apply_changes(); !changed) {
      return changed.error();
    }
    if (const Result<void> stepped = one_step(); !stepped) {
      return stepped.error();
    }
    if (const auto trouble = ports_.trouble ? ports_.trouble() : std::nullopt) {
      const Result<void> saved = save();  // the training is worth keeping, whatever the store says
      return saved ? *trouble : saved.error();
    }
  }
  const bool whole = trainer_->steps_done() == request_.spec.train.train.steps;
  const Result<void> measured = whole ? measure() : Result<void>();
  return measured ? Result<RunState>(RunState::kDone) : measured.error();
}

RunOutcome Run::run() {
  if (const Result<void> announced = announce(); !announced) {
    return {RunState::kFailed, 0, announced.error(), true};
  }
  std::optional<Error> error;
  try {
    const Result<void> begun = begin();
    const Result<RunState> ended = begun ? loop() : Result<RunState>(begun.error());
    if (ended) {
      emit(RunFinished{request_.run, *ended, steps_done()});
      return {*ended, steps_done(), std::nullopt, false};
    }
    error = ended.error();
  } catch (const std::exception& failure) {
    error = error_of(failure, "lower train.batch_size, train.seq_len or the model's size");
    if (error->kind == ErrorKind::kOutOfMemory) {
      error->message += fmt::format("; planned were {} at the peak, {}",
                                    bytes_text(plan_.peak.live_bytes), plan_.peak_phase);
    }
    if (const std::optional<Error> earlier = catch_up_after_failure()) {
      error = earlier;
    }
  }
  emit(RunFailed{request_.run, steps_done(), *error});
  return {RunState::kFailed, steps_done(), error, false};
}

}  // namespace

RunOutcome run_one(const RunRequest& request, const RunnerPorts& ports) {
  ports.control->begin_run();
  return Run(request, ports).run();
}

}  // namespace lathe::experiments
