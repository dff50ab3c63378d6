// The verdict of a replay: exact, within tolerance, diverged at the right step, not comparable.
#include <gtest/gtest.h>

#include <cmath>
#include <limits>

#include "experiments/replay.h"

namespace lathe::experiments {
namespace {

constexpr std::int64_t kSteps = 40;

double loss_at(std::int64_t step) {
  return 5.0 / static_cast<double>(step + 1);
}

Json environment() {
  return Json{{"backend", "cpu"}, {"threads", 2}, {"cpu", "A"}, {"commit", "c0ffee"}};
}

// A run of kSteps steps told by its events, as the engine would.
RunRecorder recorder_of(const std::string& run) {
  RunRecorder recorder(run);
  RunStarted started;
  started.run = run;
  started.total_steps = kSteps;
  started.environment = environment();
  started.data_digest = "d1";
  recorder.on_event(started);
  for (std::int64_t step = 1; step <= kSteps; ++step) {
    recorder.on_event(
        MetricBatch{run,
                    {{"train/loss", step, loss_at(step), 0},
                     {"perf/step_ms", step, static_cast<double>(run.size() + 7 * step), 0}}});
    if (step % 10 == 0) {
      recorder.on_event(MetricBatch{run, {{"eval/loss", step, 2 * loss_at(step), 0}}});
      recorder.on_event(DigestTaken{run, step, "digest" + std::to_string(step)});
    }
  }
  return recorder;
}

RecordedRun record_of(const std::string& run) {
  return recorder_of(run).record();
}

double& value_at(RecordedRun& run, const std::string& metric, std::int64_t step) {
  for (auto& [at, value] : run.metrics.at(metric)) {
    if (at == step) {
      return value;
    }
  }
  ADD_FAILURE() << metric << " has no point at " << step;
  static double none = 0;
  return none;
}

TEST(ReplayCompare, EqualBitsAreExactWhateverTheClockSays) {
  const ReplayVerdict verdict = compare_runs(record_of("a"), record_of("another"), {});
  EXPECT_EQ(verdict.verdict, kExact);
  EXPECT_EQ(verdict.first_difference, -1);
  EXPECT_EQ(verdict.original, "a");
  EXPECT_EQ(verdict.replay, "another");
}

TEST(ReplayCompare, OneUlpDivergesAtItsStep) {
  RecordedRun tampered = record_of("a");
  double& loss = value_at(tampered, "train/loss", 23);
  loss = std::nextafter(loss, 9.0);
  const ReplayVerdict verdict = compare_runs(tampered, record_of("b"), {});
  EXPECT_EQ(verdict.verdict, kDiverged);
  EXPECT_EQ(verdict.first_difference, 23);
  EXPECT_NE(verdict.detail.find("train/loss at step 23"), std::string::npos) << verdict.detail;
  EXPECT_NE(verdict.detail.find("the environment is the same"), std::string::npos);
}

TEST(ReplayCompare, TheEarliestStepWinsOverTheOrderOfMetrics) {
  RecordedRun tampered = record_of("a");
  value_at(tampered, "eval/loss", 30) += 1;
  value_at(tampered, "train/loss", 12) += 1;
  EXPECT_EQ(compare_runs(tampered, record_of("b"), {}).first_difference, 12);
}

TEST(ReplayCompare, TamperedDigestDiverges) {
  RecordedRun tampered = record_of("a");
  tampered.digests[20] = "other";
  const ReplayVerdict verdict = compare_runs(tampered, record_of("b"), {});
  EXPECT_EQ(verdict.verdict, kDiverged);
  EXPECT_EQ(verdict.first_difference, 20);
}

TEST(ReplayCompare, AnotherEnvironmentAllowsASmallGapAndIsNamed) {
  RecordedRun replay = record_of("b");
  replay.environment.back()["cpu"] = "B";
  value_at(replay, "train/loss", 9) *= 1 + 1e-6;
  replay.digests[10] = "other";
  const ReplayVerdict verdict = compare_runs(record_of("a"), replay, {});
  EXPECT_EQ(verdict.verdict, kWithinTolerance);
  EXPECT_EQ(verdict.first_difference, 9);
  EXPECT_NE(verdict.detail.find("cpu: A -> B"), std::string::npos) << verdict.detail;
  EXPECT_NE(verdict.detail.find("largest relative gap 1e-06"), std::string::npos) << verdict.detail;
}

TEST(ReplayCompare, AnotherEnvironmentDoesNotExcuseALargeGap) {
  RecordedRun replay = record_of("b");
  replay.environment.back()["cpu"] = "B";
  value_at(replay, "train/loss", 9) *= 1.5;
  EXPECT_EQ(compare_runs(record_of("a"), replay, {}).verdict, kDiverged);
}

TEST(ReplayCompare, NotANumberEqualsItselfAndNothingElse) {
  RecordedRun original = record_of("a");
  RecordedRun replay = record_of("b");
  value_at(original, "train/loss", 5) = std::nan("");
  EXPECT_EQ(compare_runs(original, replay, {}).first_difference, 5);
  value_at(replay, "train/loss", 5) = -std::nan("");
  EXPECT_EQ(compare_runs(original, replay, {}).verdict, kExact);
  value_at(replay, "train/loss", 5) = std::numeric_limits<double>::infinity();
  replay.environment.back()["cpu"] = "B";
  EXPECT_EQ(compare_runs(original, replay, {}).verdict, kDiverged);
}

TEST(ReplayCompare, MissingPointIsADifference) {
  RecordedRun replay = record_of("b");
  replay.metrics.at("train/loss").erase(replay.metrics.at("train/loss").begin() + 16);
  const ReplayVerdict verdict = compare_runs(record_of("a"), replay, {});
  EXPECT_EQ(verdict.verdict, kDiverged);
  EXPECT_EQ(verdict.first_difference, 17);
  EXPECT_NE(verdict.detail.find("only in the record"), std::string::npos) << verdict.detail;
}

TEST(ReplayCompare, ReplayThatStoppedEarlyIsNotExact) {
  RecordedRun replay = record_of("b");
  for (auto& [name, series] : replay.metrics) {
    std::erase_if(series, [](const auto& point) { return point.first > 20; });
  }
  replay.digests.erase(30);
  replay.digests.erase(40);
  EXPECT_EQ(compare_runs(record_of("a"), replay, {}).first_difference, 21);
  EXPECT_EQ(compare_runs(record_of("a"), replay, {.to_step = 20}).verdict, kExact);
}

TEST(ReplayCompare, RecordOfAKilledRunMayLackPointsOfItsLastStepOnly) {
  RecordedRun killed = record_of("a");
  for (auto& [name, series] : killed.metrics) {
    std::erase_if(series, [](const auto& point) { return point.first > 30; });
  }
  killed.metrics.at("eval/loss").pop_back();  // the evaluation of step 30 was not written
  killed.digests.erase(30);
  killed.digests.erase(40);
  killed.last_step = 30;
  EXPECT_EQ(compare_runs(killed, record_of("b"), {}).verdict, kExact);
  killed.metrics.at("eval/loss").pop_back();
  EXPECT_EQ(compare_runs(killed, record_of("b"), {}).first_difference, 20);
}

TEST(ReplayCompare, AnotherCorpusIsNotComparable) {
  RecordedRun replay = record_of("b");
  replay.data_digest = "d2";
  const ReplayVerdict verdict = compare_runs(record_of("a"), replay, {});
  EXPECT_EQ(verdict.verdict, kNotComparable);
  EXPECT_NE(verdict.detail.find("d1"), std::string::npos);
}

TEST(ReplayCompare, RecordWithoutWitnessIsNotComparable) {
  RecordedRun original = record_of("a");
  original.digests.clear();
  original.metrics.erase("train/loss");
  original.metrics.erase("eval/loss");
  EXPECT_EQ(compare_runs(original, record_of("b"), {}).verdict, kNotComparable);
}

TEST(RunRecorder, KeepsTheLaterValueOfARepeatedStepAndIgnoresOtherRuns) {
  RunRecorder recorder = recorder_of("a");
  recorder.on_event(MetricBatch{"b", {{"train/loss", 3, 99.0, 0}}});
  recorder.on_event(MetricBatch{"a", {{"train/loss", 3, 0.5, 0}}});
  RecordedRun record = recorder.record();
  EXPECT_EQ(value_at(record, "train/loss", 3), 0.5);
  EXPECT_EQ(record.metrics.at("train/loss").size(), kSteps);
  EXPECT_EQ(record.last_step, kSteps);
}

}  // namespace
}  // namespace lathe::experiments
