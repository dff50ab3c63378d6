// Events become state; what did not change is shared; nothing grows without bound.
#include "ui/model/live_view.h"

#include <gtest/gtest.h>

#include <thread>

#include "tests/ui/fake_world.h"

namespace lathe::ui {
namespace {

namespace ex = experiments;
using testing::ScriptedSweep;

struct Ear {
  std::int64_t now = 1000;
  int wakes = 0;
  LiveView view{{.now_ms = [this] { return now; },
                 .wake = [this] { ++wakes; },
                 .min_interval_ms = 33,
                 .max_log = 4,
                 .max_memory_samples = 16}};
  std::shared_ptr<const LiveState> look() {
    now += 100;
    return view.snapshot();
  }
};

TEST(LiveView, FollowsASweepFromPlanToEnd) {
  Ear ear;
  const ScriptedSweep script(60);
  ScriptedSweep play(60);
  EXPECT_FALSE(ear.look()->busy);
  play.begin(ear.view);
  EXPECT_EQ(ear.look()->runs.size(), 4U);
  EXPECT_TRUE(ear.look()->busy);
  play.step(ear.view, 0, 0);
  play.step(ear.view, 0, 1);
  const auto state = ear.look();
  EXPECT_EQ(state->active, script.points()[0].run);
  EXPECT_EQ(state->runs[0]->state, RunState::kRunning);
  EXPECT_EQ(state->runs[0]->step, 1);
  EXPECT_EQ(state->runs[0]->series.at("train/loss")->size(), 2U);
  EXPECT_DOUBLE_EQ(state->observer_pct, 0.31);
  play.finish_point(ear.view, 0);
  EXPECT_TRUE(ear.look()->busy);
  play.fail_point(ear.view, 1, 3);
  play.finish(ear.view);
  const auto end = ear.look();
  EXPECT_FALSE(end->busy);
  EXPECT_EQ(end->sweep->failed, 1);
  EXPECT_EQ(end->runs[1]->state, RunState::kFailed);
  EXPECT_FALSE(end->runs[1]->remedy.empty());
}

// A model is measured while another trains: what trains is still what can be paused and stopped.
TEST(LiveView, AMeasurementIsNoTraining) {
  for (const char* kind : {"eval", "compress"}) {
    Ear ear;
    ex::RunCreated created;
    created.run = "measured";
    created.kind = kind;
    ear.view.on_event(created);
    ex::RunStarted started;
    started.run = "measured";
    started.total_steps = 1;
    ear.view.on_event(started);
    EXPECT_FALSE(ear.look()->busy) << kind;
    EXPECT_EQ(ear.look()->active, "") << kind;
    ScriptedSweep play(60);
    play.begin(ear.view);
    play.step(ear.view, 0, 0);
    const RunId active = ear.look()->active;
    EXPECT_NE(active, "");
    ear.view.on_event(ex::RunFinished{"measured", RunState::kDone, 1});
    EXPECT_EQ(ear.look()->active, active) << kind;
    EXPECT_TRUE(ear.look()->busy) << kind;
    EXPECT_EQ(ear.look()->find("measured")->state, RunState::kDone) << kind;
    ear.view.on_event(ex::RunFailed{"measured", 0, {ErrorKind::kData, "no text", "name one"}});
    EXPECT_EQ(ear.look()->active, active) << kind;
  }
}

TEST(LiveView, HandsOutAtMostThirtySnapshotsASecond) {
  Ear ear;
  ScriptedSweep play(60);
  play.begin(ear.view);
  const auto first = ear.look();
  play.step(ear.view, 0, 0);
  ear.now += 10;
  EXPECT_EQ(ear.view.snapshot(), first);
  ear.now += 30;
  EXPECT_NE(ear.view.snapshot(), first);
}

TEST(LiveView, SharesRunsAndSeriesThatDidNotChange) {
  Ear ear;
  ScriptedSweep play(60);
  play.begin(ear.view);
  play.step(ear.view, 0, 0);
  const auto before = ear.look();
  play.step(ear.view, 1, 0);
  const auto after = ear.look();
  EXPECT_EQ(before->runs[0], after->runs[0]);
  EXPECT_NE(before->runs[1], after->runs[1]);
}

TEST(LiveView, WakesOncePerSnapshot) {
  Ear ear;
  ear.look();
  for (int i = 0; i < 5; ++i) {
    ear.view.note(ex::LogLevel::kInfo, "hello");
  }
  EXPECT_EQ(ear.wakes, 1);
}

TEST(LiveView, BoundsLogAndSamplesButKeepsPeaks) {
  Ear ear;
  for (int i = 0; i < 500; ++i) {
    ex::MemorySample sample;
    sample.run = "r";
    sample.step = i;
    sample.peak.live_bytes = i == 123 ? 9999 : 10;
    ear.view.on_event(sample);
    ear.view.note(ex::LogLevel::kInfo, "line " + std::to_string(i));
  }
  const auto state = ear.look();
  EXPECT_LE(state->runs[0]->memory->size(), 17U);
  EXPECT_EQ(state->runs[0]->peak_bytes, 9999);
  std::int64_t highest = 0;
  for (const ex::MemorySample& sample : *state->runs[0]->memory) {
    highest = std::max(highest, sample.peak.live_bytes);
  }
  EXPECT_EQ(highest, 9999);
  EXPECT_EQ(state->log->size(), 4U);
  EXPECT_EQ(state->log->back().text, "line 499");
}

TEST(LiveView, CountsTheSameProblemInsteadOfRepeatingIt) {
  Ear ear;
  for (int i = 0; i < 3; ++i) {
    ear.view.note(ex::LogLevel::kWarning, "the disk is slow");
  }
  ASSERT_EQ(ear.look()->problems->size(), 1U);
  EXPECT_EQ(ear.look()->problems->front().count, 3);
}

TEST(LiveView, EstimatesTheRestOfTheSweep) {
  Ear ear;
  ScriptedSweep play(100);
  play.begin(ear.view);
  play.step(ear.view, 0, 0);
  ear.now += 10'000;
  for (int step = 1; step <= 50; ++step) {
    play.step(ear.view, 0, step);
  }
  // 50 of 100 steps took 10 s; three more points of 100 steps wait.
  EXPECT_NEAR(ear.view.snapshot()->eta_secs, 10 + 3 * 20, 1);
}

TEST(LiveView, TakesEventsWhileAnotherThreadLooks) {
  LiveView view;
  std::thread engine([&] {
    ScriptedSweep play(300);
    play.play(view);
  });
  std::size_t most = 0;
  for (int i = 0; i < 200; ++i) {
    most = std::max(most, view.snapshot()->runs.size());
  }
  engine.join();
  EXPECT_LE(most, 4U);
}

}  // namespace
}  // namespace lathe::ui
