// Events into state: one apply() per kind of event, and the snapshot of what changed.
#include "ui/model/live_view.h"

#include <fmt/format.h>

#include <algorithm>
#include <chrono>
#include <utility>

#include "engine/base/format.h"
#include "ui/model/weight_palettes.h"

namespace lathe::ui {

namespace ex = lathe::experiments;

namespace {

// Evaluations and decompositions run on the models' lane, beside whatever trains: they are no
// reason to pause or stop anything, and their end is not that of a training.
bool trains(const LiveRun& run) {
  return run.kind != "eval" && run.kind != "compress";
}

std::int64_t wall_clock_ms() {
  using std::chrono::duration_cast;
  return duration_cast<std::chrono::milliseconds>(
             std::chrono::system_clock::now().time_since_epoch())
      .count();
}

}  // namespace

const LiveRun* LiveState::find(const RunId& run) const {
  for (const auto& candidate : runs) {
    if (candidate->id == run) {
      return candidate.get();
    }
  }
  return nullptr;
}

LiveView::LiveView() : LiveView(Options{}) {}

LiveView::LiveView(Options options) : options_(std::move(options)) {
  if (!options_.now_ms) {
    options_.now_ms = wall_clock_ms;
  }
}

void LiveView::on_event(const ex::Event& event) {
  bool news = false;
  {
    const std::lock_guard lock(mutex_);
    std::visit([this](const auto& one) { apply(one); }, event);
    news = !std::exchange(dirty_, true);
  }
  if (news && options_.wake) {
    options_.wake();
  }
}

LiveView::Building& LiveView::run_of(const RunId& run) {
  Building& building = runs_[run];
  if (!building.run) {
    building.run = std::make_shared<LiveRun>();
    building.run->id = run;
    building.run->name = run;
    order_.push_back(run);
  }
  building.changed = true;
  return building;
}

void LiveView::apply(const ex::SweepCreated& event) {
  sweep_ = std::make_shared<LiveSweep>();
  sweep_->id = event.sweep;
  sweep_->name = event.name;
  sweep_->points = event.points;
  sweep_->started_ms = options_.now_ms();
  sweep_changed_ = true;
  state_.busy = true;
  for (const ex::PlannedPoint& point : event.points) {
    LiveRun& run = *run_of(point.run).run;
    run.sweep = event.sweep;
    run.point = point.index;
    run.name = point.label;
    run.spec = std::make_shared<const Json>(point.spec);
    run.predicted_peak_bytes = point.predicted_peak_bytes;
    run.state = point.excluded_because.empty() ? RunState::kQueued : RunState::kExcluded;
    run.error = point.excluded_because;
  }
}

void LiveView::apply(const ex::RunCreated& event) {
  LiveRun& run = *run_of(event.run).run;
  run.sweep = event.sweep;
  run.point = event.point;
  run.name = event.name.empty() ? run.name : event.name;
  run.kind = event.kind;
  run.spec = std::make_shared<const Json>(event.spec);
  run.predicted_peak_bytes = event.predicted_peak_bytes;
  state_.busy = state_.busy || trains(run);
}

void LiveView::apply(const ex::RunStarted& event) {
  LiveRun& run = *run_of(event.run).run;
  run.state = RunState::kRunning;
  run.error.clear();
  run.remedy.clear();
  run.total_steps = event.total_steps;
  run.from_step = event.from_step;
  run.step = event.from_step;
  run.started_ms = options_.now_ms();
  tell(event.run, event.from_step > 0 ? fmt::format("goes on from step {} of {}", event.from_step,
                                                    event.total_steps)
                                      : fmt::format("starts, {} steps", event.total_steps));
  if (!trains(run)) {
    return;
  }
  state_.active = event.run;
  state_.preparing.clear();
  state_.paused = false;
  state_.busy = true;
}

void LiveView::apply(const ex::MetricBatch& event) {
  Building& building = run_of(event.run);
  for (const ex::MetricPoint& point : event.points) {
    building.series[point.metric].append(static_cast<double>(point.step), point.value);
    building.series_changed[point.metric] = true;
    building.run->step = std::max(building.run->step, point.step);
    if (point.metric == "perf/observer_pct") {
      state_.observer_pct = point.value;
    } else if (point.metric == "perf/tokens_per_s") {
      state_.tokens_per_s = point.value;
    }
  }
  state_.preparing.clear();
}

void LiveView::apply(const ex::MemorySample& event) {
  Building& building = run_of(event.run);
  building.memory.push_back(event);
  building.memory_changed = true;
  building.run->peak_bytes = std::max(building.run->peak_bytes, event.peak.live_bytes);
  thin(building.memory);
}

// Halves the samples and keeps of each pair the one with the higher peak.
void LiveView::thin(std::vector<ex::MemorySample>& samples) const {
  if (samples.size() <= options_.max_memory_samples) {
    return;
  }
  std::size_t out = 0;
  for (std::size_t i = 0; i + 1 < samples.size(); i += 2) {
    const bool first = samples[i].peak.live_bytes >= samples[i + 1].peak.live_bytes;
    samples[out++] = first ? samples[i] : samples[i + 1];
  }
  if (samples.size() % 2 == 1) {
    samples[out++] = samples.back();
  }
  samples.resize(out);
}

void LiveView::apply(const ex::MemoryProfile& event) {
  run_of(event.run);
}
void LiveView::apply(const ex::PaletteSnapshot& event) {
  Building& building = run_of(event.run);
  add_snapshot(building.palettes, event, options_.max_palettes);
  building.palettes_changed = true;
}
void LiveView::apply(const ex::CheckpointSaved& event) {
  run_of(event.run).run->checkpoint_steps.push_back(event.step);
  tell(event.run, fmt::format("checkpoint at step {}, {}", event.step, bytes_text(event.bytes)));
}
void LiveView::apply(const ex::CheckpointRemoved& event) {
  std::erase(run_of(event.run).run->checkpoint_steps, event.step);
}
void LiveView::apply(const ex::DigestTaken& event) {
  run_of(event.run);
}
void LiveView::apply(const ex::LiveChanged& event) {
  run_of(event.run).run->changes.push_back(event);
}

void LiveView::apply(const ex::RunPaused& event) {
  run_of(event.run).run->state = RunState::kPaused;
  state_.paused = true;
}

void LiveView::apply(const ex::RunResumed& event) {
  run_of(event.run).run->state = RunState::kRunning;
  state_.paused = false;
}

void LiveView::apply(const ex::RunFinished& event) {
  LiveRun& run = *run_of(event.run).run;
  run.state = event.state;
  run.step = std::max(run.step, event.step);
  tell(event.run,
       fmt::format("{} at step {}", ex::kRunStateNames[static_cast<std::size_t>(event.state)],
                   event.step));
  if (!trains(run)) {
    return;
  }
  const bool within_sweep = sweep_ && !sweep_->finished && run.sweep == sweep_->id;
  if (within_sweep) {
    sweep_->done += event.state == RunState::kDone ? 1 : 0;
    sweep_changed_ = true;
  }
  state_.active.clear();
  state_.preparing.clear();
  state_.paused = false;
  state_.busy = within_sweep;
}

void LiveView::apply(const ex::RunFailed& event) {
  LiveRun& run = *run_of(event.run).run;
  run.state = RunState::kFailed;
  run.error = event.error.message;
  run.remedy = event.error.remedy;
  add_log({.time_ms = options_.now_ms(),
           .level = ex::LogLevel::kError,
           .run = event.run,
           .text = event.error.text()});
  if (!trains(run)) {
    return;
  }
  const bool within_sweep = sweep_ && !sweep_->finished && run.sweep == sweep_->id;
  if (within_sweep) {
    sweep_->failed += 1;
    sweep_changed_ = true;
  }
  state_.active.clear();
  state_.preparing.clear();
  state_.busy = within_sweep;
}

void LiveView::apply(const ex::SweepFinished& event) {
  if (sweep_ && sweep_->id == event.sweep) {
    sweep_->finished = true;
    sweep_->stopped = event.stopped;
    sweep_->done = event.done;
    sweep_->failed = event.failed;
    sweep_->excluded = event.excluded;
    sweep_changed_ = true;
    tell("", fmt::format("sweep {}: {} done, {} failed{}", sweep_->name, event.done, event.failed,
                         event.stopped ? ", stopped" : ""));
  }
  state_.active.clear();
  state_.preparing.clear();
  state_.busy = false;
  state_.paused = false;
}

void LiveView::apply(const ex::ReplayVerdict& event) {
  run_of(event.replay).run->verdict = event.verdict;
  add_log({.time_ms = options_.now_ms(),
           .level = event.verdict == "exact" ? ex::LogLevel::kInfo : ex::LogLevel::kWarning,
           .run = event.original,
           .text = "replay: " + event.verdict +
                   (event.detail.empty() ? std::string() : " (" + event.detail + ")")});
}

void LiveView::apply(const ex::LogLine& event) {
  add_log({event.time_ms, event.level, event.run, event.text});
}

void LiveView::apply(const ex::Preparing& event) {
  state_.preparing = event.what;
  state_.preparing_share = event.share;
  state_.busy = true;
  if (!event.run.empty()) {
    state_.active = event.run;
  }
}

// What an event means in words, for the log.
void LiveView::tell(const RunId& run, std::string text) {
  add_log({options_.now_ms(), ex::LogLevel::kInfo, run, std::move(text)});
}

void LiveView::add_log(LogEntry entry) {
  if (entry.level != ex::LogLevel::kInfo) {
    const auto same = std::find_if(problems_.begin(), problems_.end(), [&](const Problem& problem) {
      return problem.entry.run == entry.run && problem.entry.text == entry.text;
    });
    if (same != problems_.end()) {
      same->count += 1;
      same->entry.time_ms = entry.time_ms;
    } else {
      problems_.push_back({entry, 1});
    }
  }
  log_.push_back(std::move(entry));
  if (log_.size() > options_.max_log) {
    log_.pop_front();
  }
  log_changed_ = true;
}

void LiveView::note(ex::LogLevel level, const std::string& text) {
  on_event(ex::LogLine{.run = {}, .level = level, .text = text, .time_ms = options_.now_ms()});
}

void LiveView::expect_work() {
  const std::lock_guard lock(mutex_);
  state_.busy = true;
  state_.preparing = "starting";
  state_.preparing_share = 0;
  dirty_ = true;
  published_ms_ = 0;
}

void LiveView::expect_job(const ex::Command& command) {
  const std::lock_guard lock(mutex_);
  models_.expect(command);
  dirty_ = true;
  published_ms_ = 0;
}

void LiveView::apply(const ex::JobFailed& event) {
  models_.apply(event);
  if (!event.cancelled) {
    add_log({options_.now_ms(), ex::LogLevel::kError, "", event.error.text()});
  }
}

double LiveView::eta_secs() const {
  const auto found = runs_.find(state_.active);
  if (found == runs_.end()) {
    return -1;
  }
  const LiveRun& run = *found->second.run;
  const auto steps = static_cast<double>(run.step - run.from_step);
  const double secs = static_cast<double>(options_.now_ms() - run.started_ms) / 1000.0;
  if (steps < 2 || secs <= 0) {
    return -1;
  }
  const double secs_per_step = secs / steps;
  double left = static_cast<double>(run.total_steps - run.step) * secs_per_step;
  for (const auto& [id, building] : runs_) {
    const LiveRun& other = *building.run;
    if (sweep_ && other.sweep == sweep_->id && other.state == RunState::kQueued) {
      const auto total =
          other.total_steps > 0 ? other.total_steps : run.total_steps;  // not started: as this one
      left += static_cast<double>(total) * secs_per_step;
    }
  }
  return left;
}

std::shared_ptr<const LiveRun> LiveView::publish(Building& building) {
  if (!building.changed && building.published) {
    return building.published;
  }
  for (auto& [metric, changed] : building.series_changed) {
    if (std::exchange(changed, false)) {
      building.run->series[metric] = std::make_shared<const Series>(building.series[metric]);
    }
  }
  if (std::exchange(building.memory_changed, false)) {
    building.run->memory = std::make_shared<const std::vector<ex::MemorySample>>(building.memory);
  }
  if (std::exchange(building.palettes_changed, false)) {
    building.run->palettes =
        std::make_shared<const std::vector<ex::PaletteSnapshot>>(building.palettes);
  }
  building.changed = false;
  building.published = std::make_shared<const LiveRun>(*building.run);
  return building.published;
}

std::shared_ptr<const LiveState> LiveView::snapshot() {
  const std::lock_guard lock(mutex_);
  const std::int64_t now = options_.now_ms();
  if (published_ && (!dirty_ || now - published_ms_ < options_.min_interval_ms)) {
    return published_;
  }
  state_.revision += 1;
  state_.runs.clear();
  for (const RunId& run : order_) {
    state_.runs.push_back(publish(runs_[run]));
  }
  if (sweep_ && std::exchange(sweep_changed_, false)) {
    state_.sweep = std::make_shared<const LiveSweep>(*sweep_);
  }
  if (std::exchange(log_changed_, false)) {
    state_.log = std::make_shared<const std::vector<LogEntry>>(log_.begin(), log_.end());
    state_.problems = std::make_shared<const std::vector<Problem>>(problems_);
  }
  state_.models = models_.snapshot();
  state_.eta_secs = eta_secs();
  dirty_ = false;
  published_ms_ = now;
  published_ = std::make_shared<const LiveState>(state_);
  return published_;
}

}  // namespace lathe::ui
