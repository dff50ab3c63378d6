// The fake world: see fake_world.h.
#include "tests/ui/fake_world.h"

#include <algorithm>
#include <cmath>
#include <utility>

#include "experiments/run_spec.h"
#include "tests/support/step_profile.h"

namespace lathe::ui::testing {

namespace ex = lathe::experiments;
namespace st = lathe::storage;

namespace {

constexpr std::int64_t kEpochMs = 1795400000000;
constexpr std::array<std::int64_t, 4> kRanks{4, 8, 16, 32};

class FakeCatalog : public st::RunCatalog {
 public:
  explicit FakeCatalog(FakeStore& store) : store_(store) {}

  Result<std::vector<st::RunSummary>> runs(bool) override {
    const std::lock_guard lock(store_.mutex);
    if (!store_.fail_with.empty()) {
      return Error{ErrorKind::kStore, store_.fail_with, "repair it"};
    }
    std::vector<st::RunSummary> out;
    for (const st::RunDetail& run : store_.runs) {
      out.push_back(run.summary);
    }
    return out;
  }
  Result<st::RunsChange> runs_changed_since(std::int64_t revision) override {
    st::RunsChange out;
    Result<std::vector<st::RunSummary>> all = runs(true);
    if (!all) {
      return all.error();
    }
    out.revision = version();
    if (out.revision != revision) {
      out.changed = std::move(all).value();
    }
    return out;
  }
  Result<std::vector<st::SweepSummary>> sweeps() override {
    st::SweepSummary sweep;
    sweep.id = "oldsweep00";
    sweep.name = "ranks";
    return std::vector{sweep};
  }
  Result<std::vector<ex::PlannedPoint>> sweep_points(const SweepId&) override {
    return std::vector<ex::PlannedPoint>{};
  }
  Result<Json> sweep_spec(const SweepId&) override { return Json::object(); }
  Result<st::RunDetail> run(std::string_view id) override {
    const std::lock_guard lock(store_.mutex);
    for (const st::RunDetail& run : store_.runs) {
      if (run.summary.id == id) {
        return run;
      }
    }
    return Error{ErrorKind::kUsage, "no run " + std::string(id), ""};
  }
  Result<st::SweepSummary> sweep(std::string_view) override { return st::SweepSummary{}; }
  Result<std::vector<st::CurvePoint>> curve(const RunId& run, std::string_view metric, std::int64_t,
                                            std::int64_t, std::int64_t) override {
    const std::lock_guard lock(store_.mutex);
    std::vector<st::CurvePoint> out;
    for (const ex::MetricPoint& point : store_.points[run + " " + std::string(metric)]) {
      out.push_back({point.step, point.value, point.value, point.value});
    }
    return out;
  }
  Result<std::vector<ex::MetricPoint>> points(const RunId& run, std::string_view metric) override {
    const std::lock_guard lock(store_.mutex);
    return store_.points[run + " " + std::string(metric)];
  }
  Result<std::vector<ex::MemorySample>> memory_samples(const RunId&, std::int64_t) override {
    return std::vector<ex::MemorySample>{};
  }
  Result<ex::MemoryProfile> memory_profile(const RunId&) override {
    const std::lock_guard lock(store_.mutex);
    return store_.profile;
  }
  Result<std::vector<ex::PaletteSnapshot>> palette_snapshots(const RunId&,
                                                             std::int64_t after_step) override {
    const std::lock_guard lock(store_.mutex);
    std::vector<ex::PaletteSnapshot> out;
    for (const ex::PaletteSnapshot& snapshot : store_.palettes) {
      if (snapshot.step > after_step) {
        out.push_back(snapshot);
      }
    }
    return out;
  }
  std::int64_t version() override {
    const std::lock_guard lock(store_.mutex);
    return store_.version;
  }
  Result<std::vector<ex::LogLine>> log(const RunId&, std::int64_t) override {
    return std::vector<ex::LogLine>{};
  }
  Result<Table> query(std::string_view, const st::QueryLimits&) override { return Table{}; }

 private:
  FakeStore& store_;
};

Result<void> apply_edit(FakeStore& store, const StoreEdit& edit) {
  const std::lock_guard lock(store.mutex);
  ++store.version;
  const auto change = [&](const std::string& id, auto&& how) -> Result<void> {
    for (st::RunDetail& run : store.runs) {
      if (run.summary.id == id) {
        how(run.summary);
        return {};
      }
    }
    return Error{ErrorKind::kUsage, "no run " + id, ""};
  };
  if (const auto* tags = std::get_if<SetTags>(&edit)) {
    return change(tags->run, [&](st::RunSummary& run) { run.tags = tags->tags; });
  }
  if (const auto* note = std::get_if<SetNote>(&edit)) {
    return change(note->run, [&](st::RunSummary& run) { run.note = note->note; });
  }
  if (const auto* trash = std::get_if<TrashRun>(&edit)) {
    return change(trash->run, [&](st::RunSummary& run) { run.trashed = true; });
  }
  if (const auto* restore = std::get_if<RestoreRun>(&edit)) {
    return change(restore->run, [&](st::RunSummary& run) { run.trashed = false; });
  }
  const auto& name = std::get<RenameRun>(edit);
  return change(name.run, [&](st::RunSummary& run) { run.name = name.name; });
}

double loss_at(std::size_t point, double step) {
  const double floor = 3.4 - 0.28 * static_cast<double>(point);
  const double wiggle =
      0.06 * std::sin(step * 0.9 + static_cast<double>(point)) + 0.04 * std::sin(step * 2.3);
  return floor + 4.2 * std::exp(-step / 38.0) + wiggle;
}

LedgerSnapshot memory_at(std::size_t point, bool peak) {
  LedgerSnapshot out;
  const std::int64_t unit = 1 << 18;
  const auto rank = static_cast<std::int64_t>(kRanks[point]);
  out.by_category[static_cast<std::size_t>(Category::kWeights)] = unit * (20 + rank);
  out.by_category[static_cast<std::size_t>(Category::kGradients)] = unit * (20 + rank);
  out.by_category[static_cast<std::size_t>(Category::kOptimizer)] = unit * (40 + 2 * rank);
  out.by_category[static_cast<std::size_t>(Category::kActivations)] = peak ? unit * 120 : 0;
  out.by_category[static_cast<std::size_t>(Category::kWorkspace)] = peak ? unit * 30 : 0;
  for (const std::int64_t bytes : out.by_category) {
    out.live_bytes += bytes;
  }
  return out;
}

}  // namespace

StorePort FakeStore::port() {
  return {.open = [this]() -> Result<std::unique_ptr<st::RunCatalog>> {
            return std::unique_ptr<st::RunCatalog>(std::make_unique<FakeCatalog>(*this));
          },
          .edit = [this](const StoreEdit& edit) { return apply_edit(*this, edit); }};
}

void KeptCommands::send(ex::Command command) {
  const std::lock_guard lock(mutex_);
  commands_.push_back(std::move(command));
}

std::vector<ex::Command> KeptCommands::take() {
  const std::lock_guard lock(mutex_);
  return std::exchange(commands_, {});
}

ex::Predictor fake_predictor() {
  return [](const ex::RunSpec& spec) -> Result<ex::Prediction> {
    const Json json = ex::to_json(spec);
    const Json rank = ex::get_path(json, "method.low_rank.rank");
    const std::int64_t r = rank.is_number() ? rank.get<std::int64_t>() : 64;
    if (r == 13) {
      return Error{ErrorKind::kUsage, "rank 13 is unlucky", "choose 12 or 14"};
    }
    return ex::Prediction{.peak_bytes = (1 << 20) * (40 + r),
                          .params = 100000 + 9000 * r,
                          .stored_bytes = 4 * (100000 + 9000 * r),
                          .flops_per_step = 1e9 + 1e7 * static_cast<double>(r),
                          .warnings = {}};
  };
}

StepPreview::Work fake_steps() {
  return [](const Json& run) -> Result<PlannedScene> {
    if (ex::get_path(run, "method.velora.sub_token_size") == Json(4)) {
      return Error{ErrorKind::kUsage, "sub-tokens of 4 are unlucky", "choose 2 or 8"};
    }
    const test::ProfileMaker made(ex::get_path(run, "model.layers").get<std::int64_t>());
    return PlannedScene{.scene = step_scene(made.profile()),
                        .peak = made.profile().peak,
                        .sub_token_sizes = {2, 4, 8, 16}};
  };
}

Json sample_sweep() {
  Json base = ex::to_json(ex::RunSpec{});
  ex::set_path(base, "method.low_rank", Json::object());
  ex::SweepSpec sweep;
  sweep.name = "sample";
  sweep.base = ex::to_json(*ex::run_spec_from_json(base));
  ex::Axis axis;
  axis.path = "method.low_rank.rank";
  for (const std::int64_t rank : kRanks) {
    axis.values.emplace_back(rank);
  }
  sweep.axes.push_back(axis);
  return ex::to_json(sweep);
}

SampleOffer sample_offer() {
  return {.sweep = sample_sweep(), .points = 4, .secs = 45};
}

ScriptedSweep::ScriptedSweep(std::int64_t steps, bool device) : steps_(steps), device_(device) {
  for (std::size_t i = 0; i < kRanks.size(); ++i) {
    ex::PlannedPoint point;
    point.index = static_cast<std::int64_t>(i);
    point.run = "run000000" + std::to_string(i);
    point.label = "r" + std::to_string(kRanks[i]);
    point.spec = ex::to_json(ex::RunSpec{});
    ex::set_path(point.spec, "method.low_rank", Json{{"rank", kRanks[i]}});
    point.predicted_peak_bytes = memory_at(i, true).live_bytes;
    point.predicted_params = 100000 + 9000 * kRanks[i];
    points_.push_back(std::move(point));
  }
}

void ScriptedSweep::begin(ex::EventSink& sink) {
  sink.on_event(ex::SweepCreated{"sweep00000", "sample", sample_sweep(), points_});
  for (const ex::PlannedPoint& point : points_) {
    sink.on_event(ex::RunCreated{point.run, "sweep00000", point.index, point.label, point.spec,
                                 point.predicted_peak_bytes, "", "train"});
  }
}

void ScriptedSweep::step(ex::EventSink& sink, std::size_t point, std::int64_t step) {
  const RunId& run = points_[point].run;
  if (step == 0) {
    sink.on_event(ex::RunStarted{run, 1, 0, steps_, Json::object(), "digest"});
    sink.on_event(ex::LogLine{run, ex::LogLevel::kInfo, "training starts", kEpochMs});
  }
  const auto x = static_cast<double>(step);
  const std::int64_t time = kEpochMs + step * 40;
  const double loss = loss_at(point, x);
  const double params = static_cast<double>(points_[point].predicted_params);
  ex::MetricBatch batch{run,
                        {{"train/loss", step, loss, time},
                         {"train/acc", step, 0.62 - loss * 0.07, time},
                         {"train/tokens", step, x * 1024, time},
                         {"perf/tokens_per_s", step, 9000 + 300 * std::sin(x / 7), time},
                         {"perf/observer_pct", step, 0.31, time},
                         {"model/params", step, params, time}}};
  if (step % 25 == 0 || step == steps_) {
    batch.points.push_back({"eval/loss", step, loss + 0.12, time});
    batch.points.push_back({"eval/acc", step, 0.6 - loss * 0.07, time});
  }
  sink.on_event(batch);
  ex::MemorySample sample{run, step, time, memory_at(point, false), memory_at(point, true), 0, 0};
  sample.pool_bytes = sample.peak.live_bytes * 9 / 8;
  if (device_) {
    sample.device_used_bytes = sample.peak.live_bytes * 5 / 4 + (step % 32) * (1 << 18);
  }
  sink.on_event(sample);
  if (step > 0 && step % 100 == 0) {
    sink.on_event(ex::CheckpointSaved{run, step, "/nowhere", 4096});
  }
}

void ScriptedSweep::finish_point(ex::EventSink& sink, std::size_t point) {
  sink.on_event(ex::RunFinished{points_[point].run, RunState::kDone, steps_});
}

void ScriptedSweep::fail_point(ex::EventSink& sink, std::size_t point, std::int64_t step) {
  sink.on_event(
      ex::RunFailed{points_[point].run,
                    step,
                    {ErrorKind::kDiverged, "the loss became NaN at step " + std::to_string(step),
                     "resume from the last checkpoint with a lower lr"}});
}

void ScriptedSweep::finish(ex::EventSink& sink) {
  sink.on_event(ex::SweepFinished{"sweep00000", 3, 1, 0, false});
}

void ScriptedSweep::play(ex::EventSink& sink) {
  begin(sink);
  for (std::size_t point = 0; point < points_.size(); ++point) {
    const bool fails = point == 3;
    for (std::int64_t i = 0; i <= (fails ? steps_ / 2 : steps_); ++i) {
      step(sink, point, i);
    }
    fails ? fail_point(sink, point, steps_ / 2) : finish_point(sink, point);
  }
  finish(sink);
}

void record_into(FakeStore& store) {
  const ScriptedSweep script;
  const std::lock_guard lock(store.mutex);
  for (std::size_t i = 0; i < script.points().size(); ++i) {
    const ex::PlannedPoint& point = script.points()[i];
    st::RunDetail run;
    run.summary.id = "old" + point.run.substr(3);
    run.summary.name = "old-" + point.label;
    run.summary.sweep = "oldsweep00";
    run.summary.point = point.index;
    run.summary.state = i == 2 ? RunState::kInterrupted : RunState::kDone;
    run.summary.kind = "train";
    run.summary.step = run.summary.total_steps = script.steps();
    run.summary.created_ms = kEpochMs + static_cast<std::int64_t>(i) * 60000;
    run.summary.predicted_peak_bytes = run.summary.peak_bytes = point.predicted_peak_bytes;
    run.summary.last = {{"model/params", static_cast<double>(point.predicted_params)},
                        {"perf/tokens_per_s", 9000.0 + static_cast<double>(i) * 100}};
    run.spec = point.spec;
    run.metrics = {"eval/loss", "train/loss"};
    for (std::int64_t step = 0; step <= script.steps(); ++step) {
      const double loss = loss_at(i, static_cast<double>(step));
      const std::int64_t time = kEpochMs + step;
      store.points[run.summary.id + " train/loss"].push_back({"train/loss", step, loss, time});
      run.summary.last["train/loss"] = loss;
      if (step % 25 == 0) {
        store.points[run.summary.id + " eval/loss"].push_back(
            {"eval/loss", step, loss + 0.12, time});
        run.summary.last["eval/loss"] = loss + 0.12;
      }
    }
    store.runs.push_back(std::move(run));
  }
}

}  // namespace lathe::ui::testing
