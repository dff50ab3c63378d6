// What a run measures before its first step and after its last.
#include "experiments/run_task.h"

#include <gmock/gmock.h>

#include "engine/lm/model_export.h"
#include "experiments/replay_run.h"
#include "tests/experiments/base_model_fixture.h"

namespace lathe::experiments {
namespace {

using ::testing::ElementsAre;
using ::testing::HasSubstr;
using ::testing::Key;

class RunTaskTest : public BaseModelTest {
 protected:
  RunTaskTest() {
    TrainSpec& train = request_.spec.train;
    train.data.kind = DataKind::kSentiment;
    train.data.path = written_set("train.csv", 0, 90);
    train.train.seq_len = 256;
    train.train.steps = 40;
    train.train.eval_every = 0;
    train.optim.lr = 1e-2;
    request_.spec.eval.data = written_set("test.csv", 84, 114);  // six texts of both
  }
  // All of them positive, which a model that knows nothing says of few: it is longer than neutral.
  std::string written_set(const std::string& name, int from, int to) const {
    std::string lines = "text,label\n";
    for (int i = from; i < to; ++i) {
      lines.append("T").append(std::to_string(i)).append(" soars,1\n");
    }
    model_.write(name, lines);
    return (model_.path() / name).string();
  }
  std::string failure() {
    const RunOutcome outcome = run_one(request_, ports_);
    EXPECT_TRUE(outcome.error);
    return outcome.error ? outcome.error->text() : "";
  }
};

TEST_F(RunTaskTest, BeforeTheFirstStepAndAfterTheLast) {
  const RunOutcome outcome = run_one(request_, ports_);
  ASSERT_EQ(outcome.state, RunState::kDone) << outcome.error->text();
  for (const char* metric : {"task/acc", "task/weighted_f1", "task/macro_f1", "task/items"}) {
    EXPECT_THAT(series(metric), ElementsAre(Key(0), Key(40))) << metric;
  }
  EXPECT_EQ(series("task/items").at(40), 30);
  EXPECT_LT(series("task/acc").at(0), 0.1);
  EXPECT_GT(series("task/weighted_f1").at(40), 0.9);
  // What was planned is what a step needed.
  EXPECT_EQ(witness_.all<RunCreated>()[0].predicted_peak_bytes,
            witness_.all<MemorySample>().back().peak.live_bytes);
  const auto spec = run_spec_from_json(witness_.all<RunCreated>()[0].spec);
  ASSERT_TRUE(spec.ok());
  EXPECT_EQ(spec->eval.data_hash.size(), 64u);
  EXPECT_THAT(spec->train.data.without, ElementsAre(request_.spec.eval.data));
  std::string said;
  for (const LogLine& line : witness_.all<LogLine>()) {
    said += line.text + "\n";
  }
  EXPECT_THAT(said, HasSubstr("6 samples are left out, whose text data.without has"));
  EXPECT_THAT(said, HasSubstr("after step 0: weighted_f1 "));
  EXPECT_THAT(said, HasSubstr("FinGPT's prompt, zero-shot, likeliest label"));
}

// Beside a base in a file's types, adapters; and the same again.
TEST_F(RunTaskTest, AdaptersBesideStoredWeightsAreMeasuredAsTheyAreAndRepeat) {
  const ModelFile dense = *ModelFile::open(model_.path());
  const auto backend = make_backend("cpu", 1);
  const auto report = export_model(**backend, dense, dense.plans(),
                                   {.format = ModelFormat::kGguf,
                                    .type = StoredType::kQ8_0,
                                    .out = model_.path() / "q8.gguf",
                                    .name = "q8"});
  ASSERT_TRUE(report.ok()) << report.error().text();
  TrainSpec& train = request_.spec.train;
  train.model.from = (model_.path() / "q8.gguf").string();
  train.method = {{"lora", {{"rank", 8}, {"targets", {"all"}}}}};
  train.train.steps = 10;
  std::string text;
  for (int i = 0; i < 100; ++i) {
    text += "Answer: positive\n";
  }
  model_.write("text.txt", text);
  request_.spec.eval.task = EvalTask::kPpl;
  request_.spec.eval.data = (model_.path() / "text.txt").string();
  request_.spec = *run_spec_from_json(to_json(request_.spec));
  ASSERT_EQ(run_one(request_, ports_).state, RunState::kDone);
  EXPECT_EQ(witness_.all<RunCreated>()[0].predicted_peak_bytes,
            witness_.all<MemorySample>().back().peak.live_bytes);
  const auto first = series("task/ppl");
  ASSERT_EQ(first.size(), 2u);
  EXPECT_LT(first.at(10), first.at(0));
  request_.spec = *run_spec_from_json(witness_.all<RunCreated>()[0].spec);
  witness_.events.clear();
  ASSERT_EQ(run_one(request_, ports_).state, RunState::kDone);
  EXPECT_EQ(series("task/ppl"), first);
}

TEST_F(RunTaskTest, MultipleChoiceToo) {
  std::string lines;
  for (int i = 0; i < 12; ++i) {
    lines += Json{{"goal", "Which is it, " + std::to_string(i) + "?"},
                  {"sol1", "bbbb"},
                  {"sol2", "aaaa aaaa"},
                  {"label", 1}}
                 .dump() +
             "\n";
  }
  model_.write("piqa.jsonl", lines);
  request_.spec.eval.task = EvalTask::kPiqa;
  request_.spec.eval.data = (model_.path() / "piqa.jsonl").string();
  request_.spec.eval.limit = 10;
  TrainSpec& train = request_.spec.train;
  train.data.kind = DataKind::kInstruct;
  train.data.path = samples().string();
  train.train.steps = 10;
  const RunOutcome outcome = run_one(request_, ports_);
  ASSERT_EQ(outcome.state, RunState::kDone) << outcome.error->text();
  EXPECT_THAT(series("task/acc_norm"), ElementsAre(Key(0), Key(10)));
  EXPECT_EQ(series("task/items").at(10), 10);
  EXPECT_TRUE(run_spec_from_json(witness_.all<RunCreated>()[0].spec)->train.data.without.empty());
}

TEST_F(RunTaskTest, WithoutAFileNothingIsMeasured) {
  request_.spec.eval.data.clear();
  request_.spec.train.train.steps = 1;
  ASSERT_EQ(run_one(request_, ports_).state, RunState::kDone);
  EXPECT_TRUE(series("task/acc").empty());
}

// A run that has gone on from a checkpoint measures at its end alone.
TEST_F(RunTaskTest, GoingOnMeasuresTheEnd) {
  request_.spec.train.train.steps = 6;
  request_.spec.train.train.checkpoint_every = 3;
  request_.last_step = 3;
  ASSERT_EQ(run_one(request_, ports_).state, RunState::kDone);
  EXPECT_THAT(series("task/acc"), ElementsAre(Key(0)));
  request_ = continued();
  request_.last_step = 0;
  ASSERT_EQ(run_one(request_, ports_).state, RunState::kDone);
  EXPECT_THAT(series("task/acc"), ElementsAre(Key(0), Key(6)));
}

TEST_F(RunTaskTest, WhatCannotBeMeasuredIsSaidBeforeAnythingIsDone) {
  TaskConfig& task = request_.spec.eval;
  const std::string data = task.data;
  task.data_hash = std::string(64, '0');
  EXPECT_THAT(failure(), HasSubstr("is another file"));
  task.data_hash.clear();
  task.data = (model_.path() / "none.csv").string();
  EXPECT_THAT(failure(), HasSubstr("none.csv"));
  task.data = data;
  task.task = EvalTask::kHumaneval;
  EXPECT_THAT(failure(), HasSubstr("executes code"));
  EXPECT_TRUE(witness_.events.empty());
  task.task = EvalTask::kPiqa;  // of a file that is none
  EXPECT_THAT(failure(), HasSubstr("test.csv"));
  EXPECT_TRUE(series("train/loss").empty());
}

// What is stopped while it measures ends, and has not failed.
TEST_F(RunTaskTest, AStopIsHeardWhileMeasuring) {
  witness_.react = [&](const Event& event) {
    const auto* preparing = std::get_if<Preparing>(&event);
    if (preparing != nullptr && preparing->what == "measuring sentiment") {
      control_.stop(StopKind::kStop);
    }
  };
  EXPECT_EQ(run_one(request_, ports_).state, RunState::kStopped);
  EXPECT_TRUE(series("task/acc").empty());
}

}  // namespace
}  // namespace lathe::experiments
