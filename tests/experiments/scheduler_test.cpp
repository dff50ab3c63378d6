// Sweeps on the way: order, failing points, stops, child processes, the session's thread.
#include "experiments/scheduler.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <atomic>
#include <future>

#include "experiments/calibration.h"
#include "experiments/predict.h"
#include "experiments/session.h"
#include "tests/experiments/runner_fixture.h"

namespace lathe::experiments {
namespace {

using ::testing::HasSubstr;

class SchedulerTest : public RunnerTest {
 protected:
  SchedulerTest() {
    request_.spec.train.train.steps = 4;
    sweep_.base = to_json(request_.spec);
  }
  SweepSpec with_axis(const std::string& assignment) {
    SweepSpec sweep = sweep_;
    EXPECT_TRUE(apply_axis(assignment, sweep).ok());
    return sweep;
  }
  SweepWork begun(const SweepSpec& sweep) {
    auto work = begin_sweep(sweep, make_predictor(0), witness_);
    EXPECT_TRUE(work.ok()) << work.error().text();
    return work.ok() ? *work : SweepWork{};
  }
  SweepSpec sweep_;
};

TEST_F(SchedulerTest, RunsThePointsInOrder) {
  const SweepWork work = begun(with_axis("rank=0,4,8"));
  const SweepOutcome outcome = run_sweep(work, ports_, {});
  EXPECT_EQ(outcome.done, 3);
  EXPECT_EQ(outcome.failed, 0);
  const auto created = witness_.all<RunCreated>();
  ASSERT_EQ(created.size(), 3u);
  const auto planned = witness_.all<SweepCreated>();
  ASSERT_EQ(planned.size(), 1u);
  for (std::size_t i = 0; i < 3; ++i) {
    EXPECT_EQ(created[i].run, planned[0].points[i].run);
    EXPECT_EQ(created[i].name, planned[0].points[i].label);
    EXPECT_EQ(created[i].predicted_peak_bytes, planned[0].points[i].predicted_peak_bytes);
    EXPECT_EQ(created[i].sweep, work.sweep);
  }
  ASSERT_EQ(witness_.all<SweepFinished>().size(), 1u);
  EXPECT_FALSE(witness_.all<SweepFinished>()[0].stopped);
}

TEST_F(SchedulerTest, AFailingPointDoesNotEndTheSweep) {
  ports_.open_data = [](const TrainSpec& spec,
                        const CorpusProgress&) -> Result<std::shared_ptr<const TokenSource>> {
    if (spec.seed == 1) {
      return Error{ErrorKind::kData, "unreadable", ""};
    }
    return test::learnable_tokens(257, 4000);
  };
  SweepSpec sweep = sweep_;
  sweep.seeds = 3;
  const SweepOutcome outcome = run_sweep(begun(sweep), ports_, {});
  EXPECT_EQ(outcome.done, 2);
  EXPECT_EQ(outcome.failed, 1);
  EXPECT_EQ(witness_.all<RunFailed>().size(), 1u);
}

TEST_F(SchedulerTest, StopEndsOneRunAndStopAllTheSweep) {
  SweepSpec sweep = sweep_;
  sweep.seeds = 3;
  at_step(2, [this] { control_.stop(StopKind::kStop); });
  EXPECT_EQ(run_sweep(begun(sweep), ports_, {}).done, 2);
  at_step(2, [this] { control_.stop(StopKind::kStopAll); });
  const SweepOutcome outcome = run_sweep(begun(sweep), ports_, {});
  EXPECT_EQ(outcome.done, 0);
  EXPECT_EQ(outcome.stopped, StopKind::kStopAll);
  EXPECT_TRUE(witness_.all<SweepFinished>().back().stopped);
}

TEST_F(SchedulerTest, IllegalPointsAreLeftOutAndASweepOfNothingElseIsRefused) {
  const SweepWork work = begun(with_axis("model.heads=2,3,4"));
  EXPECT_EQ(work.runs.size(), 2u);
  EXPECT_EQ(work.excluded, 1);
  const auto none = begin_sweep(with_axis("model.heads=3,5"), make_predictor(0), witness_);
  ASSERT_FALSE(none.ok());
  EXPECT_EQ(none.error().kind, ErrorKind::kUsage);
  EXPECT_THAT(none.error().message, HasSubstr("heads"));
}

TEST_F(SchedulerTest, JobsGoToChildrenAndASignalledChildIsAFailedRun) {
  SweepSpec sweep = sweep_;
  sweep.seeds = 4;
  sweep.jobs = 2;
  std::atomic<int> calls{0};
  const ChildRunner child = [&](const RunRequest& request) {
    ++calls;
    return request.point == 1 ? -9 : request.point == 2 ? 8 : 0;
  };
  const SweepOutcome outcome = run_sweep(begun(sweep), ports_, child);
  EXPECT_EQ(calls, 4);
  EXPECT_EQ(outcome.done, 2);
  EXPECT_EQ(outcome.failed, 2);
  ASSERT_EQ(witness_.all<RunFailed>().size(), 1u);  // the other child told the store itself
  EXPECT_THAT(witness_.all<RunFailed>()[0].error.message, HasSubstr("signal 9"));
  EXPECT_EQ(witness_.all<RunCreated>().size(), 4u);
}

TEST_F(SchedulerTest, TheSessionWorksOffCommandsOnItsOwnThread) {
  SessionPorts ports;
  ports.runner = ports_;
  ports.predict = make_predictor(0);
  {
    Session session(std::move(ports));
    session.send(StartRun{to_json(request_.spec)});
    session.send(StartSweep{to_json(with_axis("rank=0,4"))});
    session.send(StartRun{{{"model", {{"heads", 7}}}}});
    session.wait_idle();
    EXPECT_FALSE(session.busy());
  }
  EXPECT_EQ(witness_.all<RunFinished>().size(), 3u);
  const auto lines = witness_.all<LogLine>();
  ASSERT_FALSE(lines.empty());
  EXPECT_EQ(lines.back().level, LogLevel::kError);
  EXPECT_THAT(lines.back().text, HasSubstr("heads"));
}

TEST_F(SchedulerTest, LeavingASessionSavesWhatRuns) {
  request_.spec.train.train.steps = 100'000;
  SessionPorts ports;
  ports.runner = ports_;
  std::promise<void> trains;
  at_step(3, [&] { trains.set_value(); });
  {
    Session session(std::move(ports));
    session.send(StartRun{to_json(request_.spec)});
    trains.get_future().wait();
  }
  ASSERT_EQ(witness_.all<RunFinished>().size(), 1u);
  EXPECT_EQ(witness_.all<RunFinished>()[0].state, RunState::kInterrupted);
  EXPECT_EQ(witness_.all<CheckpointSaved>().back().step, witness_.all<RunFinished>()[0].step);
}

TEST_F(SchedulerTest, CalibrationSetsTheStepsOnce) {
  SweepSpec sweep = with_axis("rank=0,4");
  sweep.target_secs = 30;
  const auto fitted = calibrate(sweep, make_predictor(0));
  ASSERT_TRUE(fitted.ok()) << fitted.error().text();
  EXPECT_EQ(fitted->target_secs, 0);
  const std::int64_t steps = get_path(fitted->base, "train.steps").get<std::int64_t>();
  EXPECT_GE(steps, 20);
  EXPECT_LE(get_path(fitted->base, "train.eval_every").get<std::int64_t>(), steps);
  const auto again = calibrate(*fitted, make_predictor(0));
  EXPECT_EQ(to_json(*again), to_json(*fitted));
}

// Samples and images too are measured before there is any data.
TEST_F(SchedulerTest, SpeedIsMeasuredOfEveryKindOfData) {
  for (const DataKind kind : {DataKind::kInstruct, DataKind::kImages}) {
    SweepSpec sweep = with_axis("rank=0,4");
    set_path(sweep.base, "data.kind", enum_name(kind));
    if (kind == DataKind::kImages) {
      set_path(sweep.base, "model.image.size", 8);
    }
    const auto points = expand(sweep, make_predictor(0));
    ASSERT_TRUE(points.ok()) << points.error().text();
    const auto speed = measure_speed(*points);
    ASSERT_TRUE(speed.ok()) << speed.error().text();
    EXPECT_GT(expected_secs(points->front(), *speed), 0);
  }
}

}  // namespace
}  // namespace lathe::experiments
