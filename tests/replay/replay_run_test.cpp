// Replays of real runs: exact at each thread count, also where the run was changed, stopped and
// resumed on the way; a tampered record diverges at the tampered step.
#include "experiments/replay_run.h"

#include <gtest/gtest.h>
#include <unistd.h>

#include <bit>
#include <filesystem>

#include "engine/methods/method.h"
#include "tests/support/memory_tokens.h"

namespace lathe::experiments {
namespace {

constexpr std::int64_t kSteps = 9;

// Records a run, and presses buttons when the metrics of a step come.
class Observer : public EventSink {
 public:
  explicit Observer(const RunId& run) : recorder(run) {}
  void on_event(const Event& event) override {
    recorder.on_event(event);
    if (const auto* saved = std::get_if<CheckpointSaved>(&event)) {
      checkpoint = *saved;
    }
    const auto* batch = std::get_if<MetricBatch>(&event);
    if (batch != nullptr && !batch->points.empty() && at_step) {
      at_step(batch->points.front().step);
    }
  }

  RunRecorder recorder;
  CheckpointSaved checkpoint;
  std::function<void(std::int64_t)> at_step;
};

class ReplayTest : public ::testing::Test {
 protected:
  ReplayTest() {
    const auto* test = ::testing::UnitTest::GetInstance()->current_test_info();
    folder_ = std::filesystem::temp_directory_path() /
              ("lathe_replay_" + std::string(test->name()) + "_" + std::to_string(getpid()));
    std::filesystem::remove_all(folder_);
    ports_.sink = &observer_;
    ports_.control = &control_;
    ports_.checkpoint_root = folder_.string();
    ports_.open_data = [](const TrainSpec&, const CorpusProgress&) {
      return Result<std::shared_ptr<const TokenSource>>(test::learnable_tokens(257, 4000));
    };
    request_.run = "original00";
    request_.spec.threads = 2;
    TrainSpec& train = request_.spec.train;
    train.seed = 11;
    train.model.dim = 32;
    train.model.layers = 2;
    train.model.heads = 2;
    train.data.tokenizer = TokenizerKind::kByte;
    train.train.steps = kSteps;
    train.train.batch_size = 2;
    train.train.seq_len = 16;
    train.train.eval_every = 4;
    train.train.eval_batches = 1;
    train.train.checkpoint_every = 3;
    train.train.checkpoints_kept = 0;
    train.optim.warmup_steps = 2;
    train.method["low_rank"] = find_method("low_rank")->normalise(Json{{"rank", 4}}, "", errors_);
  }
  ~ReplayTest() override {
    std::error_code ignored;
    std::filesystem::remove_all(folder_, ignored);
  }

  RecordedRun recorded() {
    EXPECT_EQ(run_one(request_, ports_).state, RunState::kDone);
    return observer_.recorder.record();
  }
  // Goes on from the newest checkpoint, as resume does.
  void go_on() {
    request_.attempt += 1;
    request_.checkpoint = observer_.checkpoint.path;
    request_.from_step = observer_.checkpoint.step;
  }
  ReplayVerdict replayed(const RecordedRun& record, std::int64_t to_step = 0) {
    observer_.at_step = nullptr;
    const Result<ReplayVerdict> verdict = replay_run(record, to_step, ports_);
    EXPECT_TRUE(verdict.ok()) << verdict.error().text();
    return verdict.ok() ? *verdict : ReplayVerdict{};
  }

  std::filesystem::path folder_;
  std::vector<std::string> errors_;
  Observer observer_{"original00"};
  RunControl control_;
  RunnerPorts ports_;
  RunRequest request_;
};

class ReplayThreads : public ReplayTest, public ::testing::WithParamInterface<std::int64_t> {};

TEST_P(ReplayThreads, ARunReplaysExactly) {
  request_.spec.threads = GetParam();
  const RecordedRun record = recorded();
  EXPECT_EQ(record.metrics.at("train/loss").size(), kSteps);
  const ReplayVerdict verdict = replayed(record);
  EXPECT_EQ(verdict.verdict, kExact) << verdict.detail;
}

INSTANTIATE_TEST_SUITE_P(Counts, ReplayThreads, ::testing::Values(1, 2));

TEST_F(ReplayTest, TheThreadCountIsThatOfTheRecord) {
  request_.spec.threads = 2;
  RecordedRun record = recorded();
  record.spec["threads"] = 1;  // as a spec of 0 on a machine with another number of cores
  const ReplayVerdict verdict = replayed(record);
  EXPECT_EQ(verdict.verdict, kExact) << verdict.detail;
}

TEST_F(ReplayTest, ATamperedMetricDivergesAtItsStep) {
  RecordedRun record = recorded();
  double& loss = record.metrics.at("train/loss")[5].second;
  loss = std::bit_cast<double>(std::bit_cast<std::uint64_t>(loss) ^ 1U);
  const ReplayVerdict verdict = replayed(record);
  EXPECT_EQ(verdict.verdict, kDiverged);
  EXPECT_EQ(verdict.first_difference, 6);
  EXPECT_EQ(replayed(record, 5).verdict, kExact) << "up to the step before it is the same run";
}

TEST_F(ReplayTest, ATamperedDigestDivergesAtItsStep) {
  RecordedRun record = recorded();
  ASSERT_TRUE(record.digests.contains(6));
  record.digests[6] = "tampered";
  EXPECT_EQ(replayed(record).first_difference, 6);
}

TEST_F(ReplayTest, ATamperedSpecDiverges) {
  RecordedRun record = recorded();
  record.spec["optim"]["lr"] = 2e-3;
  EXPECT_EQ(replayed(record).verdict, kDiverged);
}

TEST_F(ReplayTest, AForgottenLiveChangeIsNoticedAfterItsStep) {
  observer_.at_step = [this](std::int64_t step) {
    if (step == 4) {
      control_.set_live({"optim.lr", 0.02});
    }
  };
  RecordedRun record = recorded();
  ASSERT_EQ(record.live_changes.size(), 1u);
  EXPECT_EQ(replayed(record).verdict, kExact);
  record.live_changes.clear();
  EXPECT_EQ(replayed(record).first_difference, 5);
}

TEST_F(ReplayTest, AChangedStoppedAndResumedRunReplaysAsOne) {
  observer_.at_step = [this](std::int64_t step) {
    if (step == 4) {
      control_.set_live({"optim.lr", 0.02});
    } else if (step == 5) {
      control_.stop(StopKind::kStop);
    }
  };
  EXPECT_EQ(run_one(request_, ports_).state, RunState::kStopped);
  observer_.at_step = nullptr;
  go_on();
  EXPECT_EQ(request_.from_step, 5);
  const RecordedRun record = recorded();
  EXPECT_EQ(record.environment.size(), 2u);
  EXPECT_EQ(record.live_changes.size(), 1u);
  const ReplayVerdict verdict = replayed(record);
  EXPECT_EQ(verdict.verdict, kExact) << verdict.detail;
}

// As after SIGKILL: the change is recorded, the newest checkpoint is from before it.
TEST_F(ReplayTest, ARunResumedFromBeforeItsChangeRepeatsIt) {
  observer_.at_step = [this](std::int64_t step) {
    if (step == 4) {
      control_.set_live({"optim.lr", 0.02});
    }
  };
  const RecordedRun uninterrupted = recorded();
  observer_.at_step = nullptr;
  go_on();
  request_.checkpoint = (folder_ / request_.run / "step-3").string();
  request_.from_step = 3;
  request_.live_changes = uninterrupted.live_changes;
  const RecordedRun record = recorded();
  EXPECT_EQ(record.live_changes.size(), 1u);
  const ReplayVerdict same = compare_runs(uninterrupted, record, {});
  EXPECT_EQ(same.verdict, kExact) << same.detail;
  EXPECT_EQ(replayed(record).verdict, kExact);
}

TEST_F(ReplayTest, AnotherCorpusIsNotComparable) {
  RecordedRun record = recorded();
  record.data_digest = "another";
  EXPECT_EQ(replayed(record).verdict, kNotComparable);
}

TEST_F(ReplayTest, TheVerdictIsAnEventBesideTheReplaysOwnRun) {
  const RecordedRun record = recorded();
  struct Verdicts : EventSink {
    void on_event(const Event& event) override {
      if (const auto* verdict = std::get_if<ReplayVerdict>(&event)) {
        told.push_back(*verdict);
      }
      if (const auto* created = std::get_if<RunCreated>(&event)) {
        runs.push_back(*created);
      }
    }
    std::vector<ReplayVerdict> told;
    std::vector<RunCreated> runs;
  } verdicts;
  ports_.sink = &verdicts;
  replayed(record);
  ASSERT_EQ(verdicts.told.size(), 1u);
  ASSERT_EQ(verdicts.runs.size(), 1u);
  EXPECT_EQ(verdicts.told[0].original, "original00");
  EXPECT_EQ(verdicts.told[0].replay, verdicts.runs[0].run);
  EXPECT_EQ(verdicts.runs[0].parent, "original00");
  EXPECT_EQ(verdicts.runs[0].kind, "replay");
}

}  // namespace
}  // namespace lathe::experiments
