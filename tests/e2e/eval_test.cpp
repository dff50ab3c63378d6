// Evaluation through the program: a trained run measured, recorded, compared; refusals.
#include <gmock/gmock.h>

#include "tests/e2e/lathe_process.h"

namespace lathe::e2e {
namespace {

using ::testing::HasSubstr;

class EvalTest : public LatheTest {
 protected:
  void SetUp() override {
    const Finished ran = lathe({"run", config("model", {{"train.checkpoint_every", 12}})});
    ASSERT_EQ(ran.code, 0) << ran.err;
    model_ = newest_run();
    std::string text;
    for (int i = 0; i < 60; ++i) {
      text += "line " + std::to_string(i) + " of a text to be measured\n";
    }
    write("text.txt", text);
    text_ = (folder() / "text.txt").string();
  }

  // The result of an evaluation, from its last JSON line.
  Json measure(std::vector<std::string> words) {
    words.insert(words.begin(), "eval");
    words.push_back("--json");
    const Finished done = lathe(words);
    EXPECT_EQ(done.code, 0) << done.err << done.out;
    const std::size_t end = done.out.find_last_not_of('\n');
    const std::size_t begin = done.out.rfind('\n', end);
    return Json::parse(done.out.substr(begin == std::string::npos ? 0 : begin), nullptr,
                       false)["eval"];
  }

  std::string model_;
  std::string text_;
};

TEST_F(EvalTest, IsMeasuredRecordedAndCompared) {
  const Json ppl = measure({model_, "--task", "ppl", "--data", text_});
  EXPECT_GT(ppl["metrics"]["task/ppl"].get<double>(), 1.0);
  EXPECT_THAT(ppl["rule"].get<std::string>(), HasSubstr("non-overlapping windows"));
  const Json rolling = measure({model_, "--task", "rolling", "--data", text_});
  EXPECT_NE(ppl["metrics"]["task/ppl"], rolling["metrics"]["task/token_ppl"]);
  EXPECT_EQ(ppl["model"]["hash"], rolling["model"]["hash"]);

  const Json listed = runs();
  ASSERT_EQ(listed.size(), 3u);
  EXPECT_EQ(listed[0]["kind"], "eval");
  const Json shown = json({"show", ppl["run"].get<std::string>()});
  EXPECT_EQ(shown["parent"], model_);
  EXPECT_EQ(shown["last"]["task/ppl"], ppl["metrics"]["task/ppl"]);
  const Finished differs =
      lathe({"diff", ppl["run"].get<std::string>(), rolling["run"].get<std::string>()});
  EXPECT_THAT(differs.out, HasSubstr("eval.task"));

  // Again: the same numbers, to the bit.
  const Json again = measure({model_, "--task", "ppl", "--data", text_});
  EXPECT_EQ(again["metrics"]["task/ppl"], ppl["metrics"]["task/ppl"]);
  for (const char* verb : {"resume", "replay"}) {
    const Finished refused = lathe({verb, listed[0]["id"].get<std::string>()});
    EXPECT_NE(refused.out + refused.err, "") << verb;
  }
}

TEST_F(EvalTest, CodeRunsOnlyWhereItIsAllowed) {
  write(
      "problems.jsonl",
      R"({"task_id":"T/0","prompt":"def f(x):\n","entry_point":"f","test":"def check(c):\n    assert c(2) == 3\n"})"
      "\n");
  write("samples.jsonl", R"({"task_id":"T/0","completion":"    return x + 1\n"})"
                         "\n"
                         R"({"task_id":"T/0","completion":"    return x\n"})"
                         "\n");
  const std::vector<std::string> words{"eval",
                                       "--task",
                                       "humaneval",
                                       "--data",
                                       (folder() / "problems.jsonl").string(),
                                       "--completions",
                                       (folder() / "samples.jsonl").string()};
  const Finished refused = lathe(words);
  EXPECT_EQ(refused.code, 2);
  EXPECT_THAT(refused.err, HasSubstr("--allow-code-execution"));
  std::vector<std::string> allowed = words;
  allowed.push_back("--allow-code-execution");
  const Finished ran = lathe(allowed);
  if (ran.code == 10) {
    GTEST_SKIP() << ran.err;
  }
  ASSERT_EQ(ran.code, 0) << ran.err;
  EXPECT_THAT(ran.out, HasSubstr("task/pass_at_1"));
  EXPECT_THAT(ran.out, HasSubstr("0.5"));
}

TEST_F(EvalTest, WhatIsWrongIsNamed) {
  EXPECT_EQ(lathe({"eval", model_, "--task", "ppl"}).code, 2);
  EXPECT_EQ(lathe({"eval", model_, "--task", "ppl", "--data", "/nowhere"}).code, 8);
  EXPECT_EQ(lathe({"eval", "nothing", "--task", "ppl", "--data", text_}).code, 2);
  const Finished wide =
      lathe({"eval", model_, "--task", "ppl", "--data", text_, "--window", "100000"});
  EXPECT_EQ(wide.code, 2);
  EXPECT_THAT(wide.err, HasSubstr("window=100000"));
  const Finished wrong = lathe({"eval", model_, "--task", "piqa", "--data", text_});
  EXPECT_EQ(wrong.code, 8);
  EXPECT_THAT(wrong.err, HasSubstr("text.txt:1"));
}

}  // namespace
}  // namespace lathe::e2e
