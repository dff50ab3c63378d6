// Evaluations as runs: what is told and in which order, what is refused without a word.
#include "experiments/eval_run.h"

#include <gmock/gmock.h>

#include "experiments/metrics.h"
#include "experiments/run_spec.h"
#include "tests/eval/bigram_model.h"
#include "tests/eval/eval_folder.h"
#include "tests/experiments/runner_fixture.h"

namespace lathe::experiments {
namespace {

using testing::HasSubstr;

class EvalRun : public test::EvalFolder {
 protected:
  void SetUp() override {
    test::EvalFolder::SetUp();
    ports_.sink = &witness_;
    ports_.environment = {{"host", "here"}};
    ports_.open = [this](const std::string& name) -> Result<OpenedModel> {
      asked_ = name;
      const auto model = std::make_shared<test::BigramModel>(seed_);
      return OpenedModel{.model = model->eval_model(),
                         .facts = {{"name", "bigram"}, {"hash", "abc"}, {"run", "run0000001"}},
                         .keeper = model};
    };
    request_.run = "eval000000";
    request_.model = "some/model";
    request_.spec.data = write("text.txt", "one text of more than ten letters");
    request_.spec.window = 10;
  }

  Witness witness_;
  EvalPorts ports_;
  EvalRequest request_;
  std::string asked_;
  std::uint64_t seed_ = 3;
};

TEST_F(EvalRun, IsRecordedWithRuleModelDataAndMetrics) {
  const auto result = run_eval(request_, ports_);
  ASSERT_TRUE(result.ok()) << result.error().text();
  EXPECT_EQ(asked_, "some/model");
  ASSERT_EQ(witness_.events.size(), 5u);
  const auto& created = std::get<RunCreated>(witness_.events[0]);
  EXPECT_EQ(created.kind, "eval");
  EXPECT_EQ(created.parent, "run0000001");
  EXPECT_EQ(created.name, "ppl of bigram");
  EXPECT_EQ(created.spec["eval"]["window"], 10);
  EXPECT_EQ(created.spec["subject"]["hash"], "abc");
  EXPECT_EQ(created.spec["data_sha256"].get<std::string>().size(), 64u);
  EXPECT_THAT(created.spec["rule"].get<std::string>(), HasSubstr("windows of 10 tokens"));
  EXPECT_EQ(std::get<RunStarted>(witness_.events[1]).environment["host"], "here");
  EXPECT_GT(std::get<MemorySample>(witness_.events[2]).peak.live_bytes, 0);
  const auto& batch = std::get<MetricBatch>(witness_.events[3]);
  EXPECT_EQ(batch.points[0].metric, "task/ppl");
  EXPECT_EQ(batch.points[0].value, (*result)["metrics"]["task/ppl"].get<double>());
  for (const MetricPoint& point : batch.points) {
    EXPECT_NE(find_metric(point.metric), nullptr) << point.metric;
  }
  EXPECT_EQ(std::get<RunFinished>(witness_.events[4]).state, RunState::kDone);
}

TEST_F(EvalRun, WhatCannotBeReadIsRefusedWithoutARecord) {
  request_.spec.data = (folder_ / "none.txt").string();
  EXPECT_EQ(run_eval(request_, ports_).error().kind, ErrorKind::kData);
  request_.spec.data = "";
  EXPECT_EQ(run_eval(request_, ports_).error().kind, ErrorKind::kUsage);
  request_.spec.data = write("text.txt", "text");
  request_.model = "";
  EXPECT_EQ(run_eval(request_, ports_).error().kind, ErrorKind::kUsage);
  request_.model = "m";
  ports_.open = [](const std::string&) -> Result<OpenedModel> {
    return Error{ErrorKind::kData, "damaged", ""};
  };
  EXPECT_EQ(run_eval(request_, ports_).error().message, "damaged");
  ports_.open = [](const std::string&) -> Result<OpenedModel> {
    throw OutOfMemory(1, {.category = Category::kWeights, .layer = "l", .name = "n"}, 0);
  };
  EXPECT_EQ(run_eval(request_, ports_).error().kind, ErrorKind::kOutOfMemory);
  EXPECT_TRUE(witness_.events.empty());
}

TEST_F(EvalRun, CodeIsExecutedOnlyWhereThatWasAllowed) {
  request_.spec.task = EvalTask::kHumaneval;
  request_.spec.completions = write("samples.jsonl", "{}");
  const auto refused = run_eval(request_, ports_);
  ASSERT_FALSE(refused.ok());
  EXPECT_THAT(refused.error().text(), HasSubstr("--allow-code-execution"));
  EXPECT_TRUE(witness_.events.empty());
}

TEST_F(EvalRun, AFailureOnTheWayIsAFailedRun) {
  request_.spec.data = write("text.txt", "short");
  EXPECT_FALSE(run_eval(request_, ports_).ok());
  ASSERT_EQ(witness_.all<RunFailed>().size(), 1u);
  EXPECT_THAT(witness_.all<RunFailed>()[0].error.message, HasSubstr("less than one window"));
}

TEST_F(EvalRun, StopsWhenAsked) {
  ports_.progress = [](double share, const std::string& what) {
    EXPECT_GT(share, 0.0);
    EXPECT_THAT(what, HasSubstr("scoring"));
    return false;
  };
  EXPECT_EQ(run_eval(request_, ports_).error().kind, ErrorKind::kInterrupted);
  ASSERT_EQ(witness_.all<RunFinished>().size(), 1u);
  EXPECT_EQ(witness_.all<RunFinished>()[0].state, RunState::kStopped);
}

// Two evaluations differ in what their own documents say, though training knows no such parameter.
TEST_F(EvalRun, CanBeCompared) {
  ASSERT_TRUE(run_eval(request_, ports_).ok());
  request_.spec.window = 12;
  ASSERT_TRUE(run_eval(request_, ports_).ok());
  const auto created = witness_.all<RunCreated>();
  const auto differences = diff_specs(created[0].spec, created[1].spec);
  ASSERT_EQ(differences.size(), 2u);
  EXPECT_EQ(differences[0].path, "eval.window");
  EXPECT_EQ(differences[0].a, "10");
  EXPECT_EQ(differences[0].b, "12");
  EXPECT_EQ(differences[1].path, "rule");
}

}  // namespace
}  // namespace lathe::experiments
