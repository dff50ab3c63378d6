// Every kind of event is stored, and read back as it was.
#include <cmath>
#include <limits>

#include "tests/storage/store_fixture.h"

namespace lathe::storage {
namespace {

using namespace experiments;

constexpr const char* kRun = "aaaaaaaaaa";

class EventsTest : public StoreTest {
 protected:
  EventsTest() : store_(store()) {
    store_->on_event(created(kRun));
    store_->on_event(started(kRun));
  }

  // Sends the events, then reads the run.
  RunDetail detail_after(const std::vector<Event>& events) {
    for (const Event& event : events) {
      store_->on_event(event);
    }
    expect_ok(store_->flush());
    return value_of(catalog()->run(kRun));
  }

  std::unique_ptr<RunStore> store_;
};

PlannedPoint planned(std::int64_t index) {
  PlannedPoint point;
  point.index = index;
  point.run = "run" + std::to_string(index);
  point.label = "r" + std::to_string(index);
  point.spec = Json{{"seed", index}};
  point.predicted_peak_bytes = 1'000 + index;
  point.predicted_params = 10 + index;
  point.predicted_stored_bytes = 40 + index;
  point.predicted_flops_per_step = 1.5 * static_cast<double>(index);
  point.excluded_because = index == 2 ? "mem.peak < 1002" : "";
  return point;
}

TEST_F(EventsTest, SweepCreatedAndFinished) {
  store_->on_event(SweepCreated{
      "sweep1", "ranks", Json{{"axes", {4, 8}}}, {planned(0), planned(1), planned(2)}});
  RunCreated done = created("run0");
  done.sweep = "sweep1";
  done.point = 0;
  RunCreated failed = created("run1");
  failed.sweep = "sweep1";
  failed.point = 1;
  store_->on_event(done);
  store_->on_event(RunFinished{"run0", RunState::kDone, 7});
  store_->on_event(failed);
  store_->on_event(RunFailed{"run1", 3, {ErrorKind::kOutOfMemory, "too large", "use less"}});
  expect_ok(store_->flush());
  auto reading = catalog();
  auto sweep = value_of(reading->sweep("sweep1"));
  EXPECT_EQ(sweep.state, "running");
  EXPECT_EQ(sweep.name, "ranks");
  EXPECT_EQ(sweep.points, 3);
  EXPECT_EQ(sweep.done, 1);
  EXPECT_EQ(sweep.failed, 1);
  EXPECT_EQ(sweep.excluded, 1);
  EXPECT_EQ(value_of(reading->sweep_spec("sweep1")), (Json{{"axes", {4, 8}}}));
  const auto points = value_of(reading->sweep_points("sweep1"));
  ASSERT_EQ(points.size(), 3u);
  EXPECT_EQ(points[2].index, 2);
  EXPECT_EQ(points[2].run, "run2");
  EXPECT_EQ(points[2].label, "r2");
  EXPECT_EQ(points[2].spec, (Json{{"seed", 2}}));
  EXPECT_EQ(points[2].predicted_peak_bytes, 1'002);
  EXPECT_EQ(points[2].predicted_params, 12);
  EXPECT_EQ(points[2].predicted_stored_bytes, 42);
  EXPECT_EQ(points[2].predicted_flops_per_step, 3.0);
  EXPECT_EQ(points[2].excluded_because, "mem.peak < 1002");

  store_->on_event(SweepFinished{"sweep1", 1, 1, 1, false});
  expect_ok(store_->flush());
  EXPECT_EQ(value_of(reading->sweep("sweep1")).state, "partial");
  const auto run = value_of(reading->run("run1"));
  EXPECT_EQ(run.summary.sweep, "sweep1");
  EXPECT_EQ(run.summary.point, 1);
  EXPECT_EQ(run.summary.state, RunState::kFailed);
  EXPECT_EQ(run.summary.step, 3);
  EXPECT_EQ(run.summary.error, "too large");
  EXPECT_EQ(run.summary.remedy, "use less");
}

TEST_F(EventsTest, ASweepThatGoesOnIsTheSameSweep) {
  const SweepCreated event{"sweep1", "ranks", Json::object(), {planned(0), planned(1)}};
  store_->on_event(event);
  store_->on_event(SweepFinished{"sweep1", 0, 0, 0, true});
  store_->on_event(event);
  expect_ok(store_->flush());
  auto reading = catalog();
  EXPECT_EQ(value_of(reading->sweeps()).size(), 1u);
  EXPECT_EQ(value_of(reading->sweep("sweep1")).state, "running");
  EXPECT_EQ(value_of(reading->sweep_points("sweep1")).size(), 2u);
}

TEST_F(EventsTest, RunCreatedAndStarted) {
  RunCreated replay = created("bbbbbbbbbb", "again");
  replay.parent = kRun;
  replay.kind = "replay";
  replay.predicted_peak_bytes = 300;
  replay.predicted_by_category[0] = 200;
  replay.predicted_by_category[4] = 100;
  store_->on_event(replay);
  store_->on_event(started("bbbbbbbbbb"));
  expect_ok(store_->flush());
  const RunDetail run = value_of(catalog()->run("bbbbbbbbbb"));
  EXPECT_EQ(run.summary.name, "again");
  EXPECT_EQ(run.summary.kind, "replay");
  EXPECT_EQ(run.parent, kRun);
  EXPECT_EQ(run.spec, replay.spec);
  EXPECT_EQ(run.summary.state, RunState::kRunning);
  EXPECT_EQ(run.summary.total_steps, 100);
  EXPECT_GT(run.summary.created_ms, 0);
  EXPECT_GE(run.summary.started_ms, run.summary.created_ms);
  EXPECT_EQ(run.predicted_peak.live_bytes, 300);
  EXPECT_EQ(run.predicted_peak.by_category, replay.predicted_by_category);
  ASSERT_EQ(run.attempts.size(), 1u);
  EXPECT_EQ(run.attempts[0].attempt, 1);
  EXPECT_EQ(run.attempts[0].environment, (Json{{"cpu", "test"}}));
  EXPECT_EQ(run.attempts[0].data_digest, "d1");
}

TEST_F(EventsTest, MetricsOfAnyValue) {
  constexpr double kInf = std::numeric_limits<double>::infinity();
  const double nan = std::numeric_limits<double>::quiet_NaN();
  const RunDetail run =
      detail_after({MetricBatch{kRun, {{"train/loss", 1, 5.0, 10}, {"eval/acc", 1, 0.25, 10}}},
                    MetricBatch{kRun, {{"train/loss", 2, kInf, 20}, {"eval/acc", 2, 0.125, 20}}},
                    MetricBatch{kRun, {{"train/loss", 3, nan, 30}, {"of/my/own", 3, -1.0, 30}}}});
  EXPECT_EQ(run.metrics, (std::vector<std::string>{"eval/acc", "of/my/own", "train/loss"}));
  EXPECT_EQ(run.summary.step, 3);
  EXPECT_TRUE(std::isnan(run.summary.last.at("train/loss")));
  EXPECT_EQ(run.summary.best.at("train/loss"), 5.0);
  EXPECT_EQ(run.summary.best.at("eval/acc"), 0.25);
  EXPECT_EQ(run.summary.last.at("of/my/own"), -1.0);
  EXPECT_FALSE(run.summary.best.contains("of/my/own"));
  const auto points = value_of(catalog()->points(kRun, "train/loss"));
  ASSERT_EQ(points.size(), 3u);
  EXPECT_EQ(points[0].metric, "train/loss");
  EXPECT_EQ(points[1].value, kInf);
  EXPECT_TRUE(std::isnan(points[2].value));
  EXPECT_EQ(points[2].time_ms, 30);
  const auto curve = value_of(catalog()->curve(kRun, "train/loss", 0, 100, 1));
  ASSERT_EQ(curve.size(), 1u);
  EXPECT_EQ(curve[0].max, 5.0);
  EXPECT_EQ(curve[0].non_finite, 2);
  EXPECT_TRUE(value_of(catalog()->curve(kRun, "no/such", 0, 100, 10)).empty());
}

MemorySample sample(std::int64_t step, std::int64_t peak) {
  MemorySample event;
  event.run = kRun;
  event.step = step;
  event.time_ms = step * 5;
  event.live.live_bytes = 64;
  event.live.by_category[1] = 64;
  event.peak.live_bytes = peak;
  event.peak.by_category[3] = peak;
  event.pool_bytes = 4096;
  event.process_bytes = 8192;
  return event;
}

TEST_F(EventsTest, MemorySamplesKeepTheHighestOfEachGroup) {
  std::vector<Event> events;
  for (std::int64_t step = 1; step <= 5'000; ++step) {
    events.push_back(sample(step, step == 3'333 ? 1'000'000 : 128 + step % 7));
  }
  const RunDetail run = detail_after(events);
  EXPECT_EQ(run.summary.peak_bytes, 1'000'000);
  EXPECT_EQ(run.peak.by_category[3], 1'000'000);
  const auto all = value_of(catalog()->memory_samples(kRun, 10'000));
  ASSERT_EQ(all.size(), 5'000u);
  EXPECT_EQ(all[41].run, kRun);
  EXPECT_EQ(all[41].step, 42);
  EXPECT_EQ(all[41].time_ms, 210);
  EXPECT_EQ(all[41].live.by_category[1], 64);
  EXPECT_EQ(all[41].pool_bytes, 4096);
  EXPECT_EQ(all[41].process_bytes, 8192);
  EXPECT_FALSE(all[41].device_used_bytes.has_value());
  const auto few = value_of(catalog()->memory_samples(kRun, 100));
  EXPECT_LE(few.size(), 100u);
  EXPECT_GT(few.size(), 40u);
  std::int64_t highest = 0;
  for (const MemorySample& kept : few) {
    highest = std::max(highest, kept.peak.live_bytes);
  }
  EXPECT_EQ(highest, 1'000'000);
}

// Also zero is a number, and what a device leaves out once is absent there alone.
TEST_F(EventsTest, DeviceUsedBytesAreKeptWhereTheyWereTold) {
  std::vector<Event> events;
  for (std::int64_t step = 1; step <= 3'000; ++step) {
    MemorySample event = sample(step, 128);
    if (step % 16 != 5) {
      event.device_used_bytes = step == 1 ? 0 : std::int64_t{1} << 36;
    }
    events.push_back(event);
  }
  detail_after(events);
  const auto all = value_of(catalog()->memory_samples(kRun, 10'000));
  ASSERT_EQ(all.size(), 3'000u);
  EXPECT_EQ(all[0].device_used_bytes, 0);
  EXPECT_EQ(all[1].device_used_bytes, std::int64_t{1} << 36);
  EXPECT_EQ(all[4].device_used_bytes, std::nullopt);
  EXPECT_EQ(all[2'999].device_used_bytes, std::int64_t{1} << 36);
  const auto few = value_of(catalog()->memory_samples(kRun, 100));
  ASSERT_GT(few.size(), 40u);
  EXPECT_EQ(few[1].device_used_bytes, std::int64_t{1} << 36);
}

TEST_F(EventsTest, MemoryProfile) {
  MemoryProfile profile;
  profile.run = kRun;
  profile.step = 4;
  profile.tags = {{Category::kWeights, "layers.0.q", "weight"}, {Category::kWorkspace, "", "x"}};
  profile.time_line = {{128, 128, 1, Category::kWeights, 0},
                       {64, 192, 2, Category::kWorkspace, 1},
                       {-64, 128, 2, Category::kWorkspace, -1}};
  profile.peak_by_layer = {{"layers.0.q", Category::kWeights, 128}};
  profile.peak.live_bytes = 192;
  profile.peak.by_category[0] = 128;
  profile.peak_phase = "forward layers.0";
  detail_after({profile});
  const auto read = value_of(catalog()->memory_profile(kRun));
  EXPECT_EQ(read.run, kRun);
  EXPECT_EQ(read.step, 4);
  ASSERT_EQ(read.time_line.size(), 3u);
  EXPECT_EQ(read.time_line[2].bytes, -64);
  EXPECT_EQ(read.time_line[2].live_bytes, 128);
  EXPECT_EQ(read.time_line[2].block, 2u);
  EXPECT_EQ(read.time_line[2].category, Category::kWorkspace);
  EXPECT_EQ(read.time_line[2].tag, -1);
  ASSERT_EQ(read.tags.size(), 2u);
  EXPECT_EQ(read.tags[0].layer, "layers.0.q");
  EXPECT_EQ(read.tags[0].name, "weight");
  ASSERT_EQ(read.peak_by_layer.size(), 1u);
  EXPECT_EQ(read.peak_by_layer[0].bytes, 128);
  EXPECT_EQ(read.peak.by_category[0], 128);
  EXPECT_EQ(read.peak_phase, "forward layers.0");
  store_->on_event(created("bbbbbbbbbb"));
  expect_ok(store_->flush());
  EXPECT_EQ(catalog()->memory_profile("bbbbbbbbbb").error().kind, ErrorKind::kUsage);
}

TEST_F(EventsTest, CheckpointsDigestsAndLiveChanges) {
  const RunDetail run =
      detail_after({CheckpointSaved{kRun, 5, "/c/5", 1}, CheckpointSaved{kRun, 10, "/c/10", 1234},
                    CheckpointSaved{kRun, 20, "/c/20", 9}, CheckpointRemoved{kRun, 5},
                    DigestTaken{kRun, 10, "abc"}, LiveChanged{kRun, 12, "optim.lr", 0.5},
                    LiveChanged{kRun, 12, "optim.lr", 0.25}});
  ASSERT_EQ(run.checkpoints.size(), 2u);
  EXPECT_EQ(run.checkpoints[0].path, "/c/10");
  EXPECT_EQ(run.checkpoints[0].bytes, 1234);
  EXPECT_EQ(run.checkpoints[1].step, 20);
  ASSERT_EQ(run.digests.size(), 1u);
  EXPECT_EQ(run.digests[0].digest, "abc");
  ASSERT_EQ(run.live_changes.size(), 1u);
  EXPECT_EQ(run.live_changes[0].param, "optim.lr");
  EXPECT_EQ(run.live_changes[0].value, 0.25);
}

TEST_F(EventsTest, PauseResumeAndEndAreStatesWithTheirSteps) {
  const RunDetail run = detail_after(
      {RunPaused{kRun, 5}, RunResumed{kRun, 5}, RunFinished{kRun, RunState::kStopped, 9}});
  EXPECT_EQ(run.summary.state, RunState::kStopped);
  EXPECT_EQ(run.summary.step, 9);
  EXPECT_GT(run.summary.ended_ms, 0);
  ASSERT_EQ(run.states.size(), 5u);
  EXPECT_EQ(run.states[0].state, RunState::kQueued);
  EXPECT_EQ(run.states[1].state, RunState::kRunning);
  EXPECT_EQ(run.states[2].state, RunState::kPaused);
  EXPECT_EQ(run.states[2].step, 5);
  EXPECT_EQ(run.states[3].state, RunState::kRunning);
  EXPECT_EQ(run.states[4].state, RunState::kStopped);
}

TEST_F(EventsTest, ReplayVerdictAndLog) {
  store_->on_event(created("bbbbbbbbbb"));
  const RunDetail run = detail_after({ReplayVerdict{kRun, "bbbbbbbbbb", "diverged", 7, "ulp"},
                                      LogLine{kRun, LogLevel::kWarning, "careful", 11},
                                      LogLine{kRun, LogLevel::kInfo, "later", 12},
                                      LogLine{"", LogLevel::kError, "of no run", 13},
                                      Preparing{kRun, 0.5, "tokenizing"}});
  ASSERT_EQ(run.replays.size(), 1u);
  EXPECT_EQ(run.replays[0].replay, "bbbbbbbbbb");
  EXPECT_EQ(run.replays[0].verdict, "diverged");
  EXPECT_EQ(run.replays[0].first_difference, 7);
  EXPECT_EQ(run.replays[0].detail, "ulp");
  const auto lines = value_of(catalog()->log(kRun, 10));
  ASSERT_EQ(lines.size(), 2u);
  EXPECT_EQ(lines[0].text, "careful");
  EXPECT_EQ(lines[0].level, LogLevel::kWarning);
  EXPECT_EQ(lines[1].time_ms, 12);
  EXPECT_EQ(value_of(catalog()->log(kRun, 1)).at(0).text, "later");
  EXPECT_EQ(value_of(catalog()->log("", 10)).at(0).level, LogLevel::kError);
}

TEST_F(EventsTest, ARunThatGoesOnFromACheckpointForgetsWhatCameAfterIt) {
  std::vector<Event> events;
  for (std::int64_t step = 1; step <= 30; ++step) {
    events.push_back(point(kRun, "train/loss", step, step == 25 ? 0.0 : 10.0));
    events.push_back(sample(step, 100));
    events.push_back(DigestTaken{kRun, step, "first"});
  }
  events.push_back(CheckpointSaved{kRun, 20, "/c/20", 1});
  events.push_back(CheckpointSaved{kRun, 30, "/c/30", 1});
  events.push_back(LiveChanged{kRun, 22, "optim.lr", 0.5});
  events.push_back(RunFinished{kRun, RunState::kInterrupted, 30});
  detail_after(events);
  const RunDetail run = detail_after(
      {started(kRun, 2, 20), DigestTaken{kRun, 21, "second"}, point(kRun, "train/loss", 21, 9.0)});
  EXPECT_EQ(run.summary.state, RunState::kRunning);
  EXPECT_EQ(run.summary.step, 21);
  EXPECT_EQ(run.summary.ended_ms, 0);
  EXPECT_EQ(run.summary.best.at("train/loss"), 9.0);
  ASSERT_EQ(run.attempts.size(), 2u);
  EXPECT_EQ(run.attempts[1].from_step, 20);
  ASSERT_EQ(run.checkpoints.size(), 1u);
  EXPECT_EQ(run.digests.size(), 21u);
  EXPECT_EQ(run.digests.back().digest, "second");
  EXPECT_EQ(run.live_changes.size(), 1u) << "a replay and a resume repeat it";
  EXPECT_EQ(value_of(catalog()->points(kRun, "train/loss")).size(), 21u);
  EXPECT_EQ(value_of(catalog()->memory_samples(kRun, 100)).size(), 20u);
}

TEST_F(EventsTest, AnEventOfAnUnknownRunIsReportedOnceAndLosesNothingElse) {
  store_->on_event(point(kRun, "train/loss", 1, 1.0));
  store_->on_event(point("nosuchrun1", "train/loss", 1, 1.0));
  store_->on_event(point(kRun, "train/loss", 2, 2.0));
  const Result<void> first = store_->flush();
  ASSERT_FALSE(first.ok());
  EXPECT_NE(first.error().message.find("nosuchrun1"), std::string::npos);
  expect_ok(store_->flush());
  EXPECT_EQ(value_of(catalog()->points(kRun, "train/loss")).size(), 2u);
}

TEST_F(EventsTest, TextThatIsNoUtf8IsNoReasonToFail) {
  RunCreated event = created("bbbbbbbbbb");
  event.spec["path"] = "caf\xe9";
  store_->on_event(event);
  store_->on_event(LogLine{"bbbbbbbbbb", LogLevel::kInfo, "caf\xe9", 1});
  expect_ok(store_->flush());
  EXPECT_TRUE(catalog()->run("bbbbbbbbbb").ok());
}

}  // namespace
}  // namespace lathe::storage
