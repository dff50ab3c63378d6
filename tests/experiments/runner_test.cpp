// The runner: what it tells, how it ends, and that going on gives the bits of never having stopped.
#include "experiments/runner.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "engine/backend/device_error.h"
#include "engine/methods/method.h"
#include "experiments/metrics.h"
#include "experiments/plan_profile.h"
#include "experiments/replay_run.h"
#include "tests/experiments/runner_fixture.h"

namespace lathe::experiments {
namespace {

using ::testing::HasSubstr;

TEST_F(RunnerTest, TellsTheWholeRun) {
  const RunOutcome outcome = run_one(request_, ports_);
  EXPECT_EQ(outcome.state, RunState::kDone);
  EXPECT_EQ(outcome.step, 12);
  ASSERT_EQ(witness_.all<RunCreated>().size(), 1u);
  ASSERT_EQ(witness_.all<RunStarted>().size(), 1u);
  EXPECT_EQ(witness_.all<RunStarted>()[0].environment["threads"], 2);
  EXPECT_EQ(series("train/loss").size(), 12u);
  EXPECT_EQ(series("eval/loss").size(), 3u);  // 4, 8 and the last, 12
  EXPECT_EQ(series("model/params").size(), 1u);
  EXPECT_LT(series("train/loss").at(12), series("train/loss").at(1));
  std::vector<std::int64_t> saved;
  for (const CheckpointSaved& checkpoint : witness_.all<CheckpointSaved>()) {
    saved.push_back(checkpoint.step);
    EXPECT_EQ(std::filesystem::exists(checkpoint.path), checkpoint.step != 5);
    EXPECT_GT(checkpoint.bytes, 0);
  }
  EXPECT_EQ(saved, (std::vector<std::int64_t>{5, 10, 12}));
  ASSERT_EQ(witness_.all<CheckpointRemoved>().size(), 1u);  // two are kept
  EXPECT_EQ(witness_.all<CheckpointRemoved>()[0].step, 5);
  EXPECT_EQ(digests().size(), 3u);
  ASSERT_EQ(witness_.all<RunFinished>().size(), 1u);
  EXPECT_EQ(witness_.all<RunFinished>()[0].state, RunState::kDone);
}

// Evaluations, checkpoints and the end come in between and wait for what is on its way.
TEST_F(RunnerTest, NoFigureIsLostWhereTheHostWaitsForSeveralStepsAtATime) {
  run_one(request_, ports_);
  const auto losses = series("train/loss");
  const auto norms = series("train/grad_norm");
  const auto heldout = series("eval/loss");
  const auto bits = digests();
  witness_.events.clear();
  request_.spec.train.train.metrics_every = 3;
  run_one(request_, ports_);
  EXPECT_EQ(series("train/loss"), losses);
  EXPECT_EQ(series("train/grad_norm"), norms);
  EXPECT_EQ(series("eval/loss"), heldout);
  EXPECT_EQ(digests(), bits);
  std::int64_t last = 0;
  for (const MetricBatch& batch : witness_.all<MetricBatch>()) {
    EXPECT_GE(batch.points.front().step, last);
    last = batch.points.front().step;
  }
}

// Decay at a rate of 10 throws the weights to -99 times themselves each step, out of all bounds
// soon.
TEST_F(RunnerTest, ABrokenStepAmongSeveralComesBehindThoseBeforeIt) {
  TrainSpec& train = request_.spec.train;
  train.train.steps = 60;
  train.train.metrics_every = 6;
  train.train.eval_every = 0;
  train.train.checkpoint_every = 0;
  train.optim.schedule = ScheduleKind::kConstant;
  train.optim.weight_decay = 10.0;
  request_.live_changes = {LiveChanged{request_.run, 2, "optim.lr", 10.0}};
  const RunOutcome outcome = run_one(request_, ports_);
  ASSERT_TRUE(outcome.error.has_value());
  EXPECT_EQ(outcome.error->kind, ErrorKind::kDiverged);
  EXPECT_GT(outcome.step, 2);
  EXPECT_EQ(series("train/loss").size(), static_cast<std::size_t>(outcome.step));
  EXPECT_THAT(outcome.error->message, HasSubstr("step " + std::to_string(outcome.step + 1)));
  ASSERT_EQ(witness_.all<LiveChanged>().size(), 1u);
  EXPECT_EQ(witness_.all<LiveChanged>()[0].step, 2);
}

TEST_F(RunnerTest, AsManyCheckpointsStayAsAreAskedFor) {
  const auto left_with = [this](std::int64_t kept) {
    request_.run = "kept" + std::to_string(kept);
    request_.spec.train.train.checkpoints_kept = kept;
    run_one(request_, ports_);
    std::set<std::string> left;
    for (const auto& entry : std::filesystem::directory_iterator(
             std::filesystem::path(ports_.checkpoint_root) / request_.run)) {
      left.insert(entry.path().filename().string());
    }
    return left;
  };
  EXPECT_EQ(left_with(1), (std::set<std::string>{"step-12"}));
  EXPECT_EQ(left_with(0), (std::set<std::string>{"step-5", "step-10", "step-12"}));
}

TEST_F(RunnerTest, EveryMetricItTellsIsDeclared) {
  run_one(request_, ports_);
  for (const MetricBatch& batch : witness_.all<MetricBatch>()) {
    for (const MetricPoint& point : batch.points) {
      EXPECT_NE(find_metric(point.metric), nullptr) << point.metric;
    }
  }
}

TEST_F(RunnerTest, ThePredictedPeakIsTheOneReached) {
  run_one(request_, ports_);
  std::int64_t reached = 0;
  for (const MemorySample& sample : witness_.all<MemorySample>()) {
    reached = std::max(reached, sample.peak.live_bytes);
  }
  EXPECT_EQ(reached, witness_.all<RunCreated>()[0].predicted_peak_bytes);
  ASSERT_EQ(witness_.all<MemoryProfile>().size(), 1u);
  EXPECT_EQ(witness_.all<MemoryProfile>()[0].step, 2);
  EXPECT_FALSE(witness_.all<MemoryProfile>()[0].time_line.empty());
}

TEST_F(RunnerTest, PalettesAreToldBeforeTheFirstStepAndWithEachEvaluation) {
  std::vector<std::string> errors;
  request_.spec.train.method["dkm"] =
      find_method("dkm")->normalise(Json{{"bits", 2}}, "method.dkm", errors);
  run_one(request_, ports_);
  std::vector<std::int64_t> steps;
  for (const PaletteSnapshot& snapshot : witness_.all<PaletteSnapshot>()) {
    steps.push_back(snapshot.step);
    EXPECT_EQ(snapshot.palettes->size(), 14u);
  }
  EXPECT_EQ(steps, (std::vector<std::int64_t>{0, 4, 8, 12}));
  for (const MetricBatch& batch : witness_.all<MetricBatch>()) {
    for (const MetricPoint& point : batch.points) {
      EXPECT_NE(find_metric(point.metric), nullptr) << point.metric;
    }
  }
  // Looking takes no memory that the plan does not know of.
  std::int64_t reached = 0;
  for (const MemorySample& sample : witness_.all<MemorySample>()) {
    reached = std::max(reached, sample.peak.live_bytes);
  }
  EXPECT_EQ(reached, witness_.all<RunCreated>()[0].predicted_peak_bytes);
}

TEST_F(RunnerTest, ThePlannedTimeLineIsTheOneRecorded) {
  run_one(request_, ports_);
  const MemoryProfile recorded = witness_.all<MemoryProfile>().at(0);
  const auto planned = plan_profile(request_.spec, 0);
  ASSERT_TRUE(planned.ok()) << planned.error().text();
  EXPECT_EQ(planned->profile.peak.by_category, recorded.peak.by_category);
  EXPECT_EQ(planned->profile.peak_phase, recorded.peak_phase);
  ASSERT_EQ(planned->profile.time_line.size(), recorded.time_line.size());
  for (std::size_t i = 0; i < recorded.time_line.size(); ++i) {
    const LedgerEvent& event = planned->profile.time_line[i];
    ASSERT_EQ(event.bytes, recorded.time_line[i].bytes) << i;
    ASSERT_EQ(event.live_bytes, recorded.time_line[i].live_bytes) << i;
    ASSERT_EQ(event.category, recorded.time_line[i].category) << i;
  }
  for (const std::int64_t size : planned->sub_token_sizes) {
    EXPECT_EQ(request_.spec.train.model.dim % size, 0);
  }
  EXPECT_FALSE(planned->sub_token_sizes.empty());
}

TEST_F(RunnerTest, AStoppedRunGoesOnToTheSameBits) {
  run_one(request_, ports_);
  const auto losses = series("train/loss");
  const auto evals = series("eval/loss");
  const std::string last_digest = digests().at(12);
  witness_.events.clear();

  at_step(7, [this] { control_.stop(StopKind::kStop); });
  EXPECT_EQ(run_one(request_, ports_).state, RunState::kStopped);
  EXPECT_EQ(witness_.all<CheckpointSaved>().back().step, 7);
  EXPECT_EQ(run_one(continued(), ports_).state, RunState::kDone);
  EXPECT_EQ(series("train/loss"), losses);
  EXPECT_EQ(series("eval/loss"), evals);
  EXPECT_EQ(digests().at(12), last_digest);
}

TEST_F(RunnerTest, AnInterruptionIsMarkedAndSaved) {
  at_step(3, [this] { control_.stop(StopKind::kInterrupt); });
  EXPECT_EQ(run_one(request_, ports_).state, RunState::kInterrupted);
  EXPECT_EQ(witness_.all<RunFinished>()[0].state, RunState::kInterrupted);
  EXPECT_EQ(witness_.all<CheckpointSaved>().back().step, 3);
  // It reaches into the next run too: the process has to go.
  EXPECT_EQ(run_one(request_, ports_).step, 0);
}

TEST_F(RunnerTest, PauseWaitsUntilResume) {
  at_step(3, [this] { control_.pause(); });
  Witness& witness = witness_;
  const auto former = witness.react;
  witness.react = [&, former](const Event& event) {
    former(event);
    if (std::holds_alternative<RunPaused>(event)) {
      control_.resume();
    }
  };
  EXPECT_EQ(run_one(request_, ports_).state, RunState::kDone);
  ASSERT_EQ(witness_.all<RunPaused>().size(), 1u);
  EXPECT_EQ(witness_.all<RunPaused>()[0].step, 3);
  EXPECT_EQ(witness_.all<RunResumed>().size(), 1u);
}

TEST_F(RunnerTest, LiveChangesAreRecordedAndRepeatedByAReplay) {
  RunRecorder recorder(request_.run);
  at_step(4, [this] { control_.set_live({"lr", 0.1}); });
  const auto former = witness_.react;
  witness_.react = [&, former](const Event& event) {
    recorder.on_event(event);
    former(event);
  };
  run_one(request_, ports_);
  ASSERT_EQ(witness_.all<LiveChanged>().size(), 1u);
  EXPECT_EQ(witness_.all<LiveChanged>()[0].step, 4);
  EXPECT_EQ(witness_.all<LiveChanged>()[0].param, "optim.lr");
  witness_.react = nullptr;
  const auto verdict = replay_run(recorder.record(), 0, ports_);
  ASSERT_TRUE(verdict.ok()) << verdict.error().text();
  EXPECT_EQ(verdict->verdict, kExact) << verdict->detail;
  EXPECT_EQ(witness_.all<RunCreated>().back().kind, "replay");
}

TEST_F(RunnerTest, AReplayOfAnotherSeedDiverges) {
  RunRecorder recorder(request_.run);
  witness_.react = [&](const Event& event) { recorder.on_event(event); };
  run_one(request_, ports_);
  witness_.react = nullptr;
  RecordedRun record = recorder.record();
  record.spec["seed"] = 5;
  const auto verdict = replay_run(record, 0, ports_);
  ASSERT_TRUE(verdict.ok());
  EXPECT_EQ(verdict->verdict, kDiverged);
  EXPECT_EQ(verdict->first_difference, 1);
}

TEST_F(RunnerTest, AWrongLiveChangeIsToldAndTheRunGoesOn) {
  at_step(2, [this] { control_.set_live({"model.dim", 64}); });
  EXPECT_EQ(run_one(request_, ports_).state, RunState::kDone);
  bool told = false;
  for (const LogLine& line : witness_.all<LogLine>()) {
    told =
        told || (line.level == LogLevel::kError && line.text.find("model.dim") != line.text.npos);
  }
  EXPECT_TRUE(told);
}

TEST_F(RunnerTest, RefusesAnIllegalSpecWithoutAnEvent) {
  request_.spec.train.model.heads = 5;
  const RunOutcome outcome = run_one(request_, ports_);
  EXPECT_TRUE(outcome.refused);
  ASSERT_TRUE(outcome.error.has_value());
  EXPECT_EQ(outcome.error->kind, ErrorKind::kUsage);
  EXPECT_TRUE(witness_.events.empty());
}

TEST_F(RunnerTest, RefusesWhatDoesNotFitNamingBothNumbers) {
  request_.spec.train.model = {.dim = 16384, .layers = 200, .heads = 128};
  const RunOutcome outcome = run_one(request_, ports_);
  ASSERT_TRUE(outcome.error.has_value());
  EXPECT_EQ(outcome.error->kind, ErrorKind::kOutOfMemory);
  EXPECT_THAT(outcome.error->message, HasSubstr("needs"));
  EXPECT_THAT(outcome.error->message, HasSubstr("left"));
  EXPECT_EQ(witness_.all<RunStarted>().size(), 0u);
  EXPECT_EQ(witness_.all<RunFailed>().size(), 1u);
}

TEST_F(RunnerTest, LackOfMemoryOnTheWayNamesTensorAndPlan) {
  ports_.open_data = [](const TrainSpec&,
                        const CorpusProgress&) -> Result<std::shared_ptr<const TokenSource>> {
    throw OutOfMemory(4096, {.category = Category::kWeights, .layer = "layers.1", .name = "gate"},
                      128);
  };
  const RunOutcome outcome = run_one(request_, ports_);
  ASSERT_TRUE(outcome.error.has_value());
  EXPECT_EQ(outcome.error->kind, ErrorKind::kOutOfMemory);
  EXPECT_THAT(outcome.error->message, HasSubstr("4096 bytes for layers.1.gate"));
  EXPECT_THAT(outcome.error->message, HasSubstr("planned were"));
}

TEST_F(RunnerTest, WhatADeviceRefusesEndsTheRunAlone) {
  ports_.open_data = [](const TrainSpec&,
                        const CorpusProgress&) -> Result<std::shared_ptr<const TokenSource>> {
    throw DeviceError("rope, grid (1, 1, 1): the launch failed");
  };
  const RunOutcome outcome = run_one(request_, ports_);
  ASSERT_TRUE(outcome.error.has_value());
  EXPECT_EQ(outcome.error->kind, ErrorKind::kDevice);
  EXPECT_THAT(outcome.error->message, HasSubstr("rope"));
  EXPECT_EQ(witness_.all<RunFailed>().size(), 1u);
}

TEST_F(RunnerTest, AMissingCorpusFailsTheRun) {
  ports_.open_data = [](const TrainSpec&, const CorpusProgress&) {
    return Result<std::shared_ptr<const TokenSource>>(
        Error{ErrorKind::kData, "the corpus is gone", "bring it back"});
  };
  const RunOutcome outcome = run_one(request_, ports_);
  EXPECT_EQ(outcome.state, RunState::kFailed);
  EXPECT_EQ(outcome.error->kind, ErrorKind::kData);
  EXPECT_EQ(witness_.all<RunFailed>()[0].error.message, "the corpus is gone");
}

TEST_F(RunnerTest, ADamagedCheckpointIsADataError) {
  run_one(request_, ports_);
  RunRequest next = continued();
  for (const auto& entry : std::filesystem::directory_iterator(next.checkpoint)) {
    std::filesystem::resize_file(entry.path(), entry.file_size() / 2);
  }
  const RunOutcome outcome = run_one(next, ports_);
  EXPECT_EQ(outcome.state, RunState::kFailed);
  EXPECT_EQ(outcome.error->kind, ErrorKind::kData);
}

TEST_F(RunnerTest, TroubleOfTheStoreEndsTheRunWithACheckpoint) {
  ports_.trouble = [this]() -> std::optional<Error> {
    if (witness_.all<MemorySample>().size() < 3) {
      return std::nullopt;
    }
    return Error{ErrorKind::kDisk, "the disk is full", "make room"};
  };
  const RunOutcome outcome = run_one(request_, ports_);
  EXPECT_EQ(outcome.error->kind, ErrorKind::kDisk);
  EXPECT_EQ(outcome.step, 3);
  EXPECT_EQ(witness_.all<CheckpointSaved>().back().step, 3);
}

}  // namespace
}  // namespace lathe::experiments
