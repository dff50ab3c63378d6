// pass@k against its definition, and completions that pass, fail, cheat and hang.
#include "engine/eval/humaneval.h"

#include <gmock/gmock.h>

#include "engine/eval/code_writer.h"
#include "engine/eval/pass_at_k.h"
#include "tests/eval/bigram_model.h"
#include "tests/eval/eval_folder.h"

namespace lathe {
namespace {

using testing::HasSubstr;

TEST(PassAtK, IsTheUnbiasedEstimator) {
  EXPECT_NEAR(pass_at_k(200, 10, 1), 0.05, 1e-12);
  EXPECT_NEAR(pass_at_k(200, 10, 10), 0.40855, 1e-5);
  EXPECT_NEAR(pass_at_k(20, 3, 10), 0.89474, 1e-5);
  EXPECT_EQ(pass_at_k(10, 0, 1), 0.0);
  EXPECT_EQ(pass_at_k(5, 5, 1), 1.0);
  EXPECT_EQ(pass_at_k(5, 3, 3), 1.0);
  EXPECT_EQ(pass_at_k(2, 1, 1), 0.5);
}

// Against the definition itself: draw every subset of k.
TEST(PassAtK, IsTheShareOfDrawsWithACorrectOne) {
  constexpr int n = 8;
  for (int c = 0; c <= n; ++c) {
    for (int k = 1; k <= n; ++k) {
      int draws = 0;
      int passing = 0;
      for (unsigned draw = 0; draw < 1u << n; ++draw) {
        if (__builtin_popcount(draw) == k) {
          draws += 1;
          passing += (draw & ((1u << c) - 1)) != 0 ? 1 : 0;
        }
      }
      EXPECT_NEAR(pass_at_k(n, c, k), double(passing) / draws, 1e-12) << c << " " << k;
    }
  }
}

TEST(Completion, EndsWhereTheFunctionDoes) {
  EXPECT_EQ(cut_completion("  return 1\n\ndef other():\n"), "  return 1\n");
  EXPECT_EQ(cut_completion("  x = 1\n  if x:\n    return 2\nif __name__"),
            "  x = 1\n  if x:\n    return 2");
  EXPECT_EQ(cut_completion("  return 1"), "  return 1");
}

CodeProblem add_problem(const std::string& id) {
  return {.task_id = id,
          .prompt = "def add(a, b):\n    \"\"\"Sum of both.\"\"\"\n",
          .entry_point = "add",
          .test =
              "def check(candidate):\n    assert candidate(2, 3) == 5\n"
              "    assert candidate(-1, 1) == 0\n"};
}

class HumanEval : public test::EvalFolder {
 protected:
  void SetUp() override {
    test::EvalFolder::SetUp();
    const auto probe = run_sandboxed({"/usr/bin/python3", "-V"}, "", {});
    if (!probe.ok()) {
      GTEST_SKIP() << probe.error().text();
    }
  }
};

TEST_F(HumanEval, OnlyWhatRunsToTheEndOfItsTestsPasses) {
  const std::vector<CodeProblem> problems{add_problem("T/0"), add_problem("T/1")};
  const std::vector<CodeCompletion> completions{
      {"T/0", "    return a + b\n"},
      {"T/0", "    print('noise', end='')\n    return a + b"},
      {"T/0", "    return a - b\n"},
      {"T/0", "    return a +\n"},
      {"T/0", "    import sys\n    sys.exit(0)\n"},
      {"T/0", "    import os\n    os._exit(0)\n"},
      {"T/0", "    raise SystemExit\n"},
      {"T/0", "    while True: pass\n"},
      {"T/0", "    return add(a, b)\n"},
      {"T/0", "    import os\n    os.kill(os.getpid(), 9)\n"},
      {"T/1", "    return a + b\n"},
      {"T/7", "    return 0\n"}};
  std::int64_t last = 0;
  const auto result =
      judge_code(problems, completions, {.wall_secs = 3}, [&](std::int64_t done, std::int64_t all) {
        last = done;
        EXPECT_EQ(all, 11);
        return true;
      });
  ASSERT_TRUE(result.ok()) << result.error().text();
  EXPECT_EQ(last, 11);
  EXPECT_EQ(result->problems[0].samples, 10);
  EXPECT_EQ(result->problems[0].passed, 2);
  EXPECT_EQ(result->problems[0].timed_out, 1);
  EXPECT_EQ(result->problems[1].passed, 1);
  ASSERT_EQ(result->pass_at.size(), 1u);  // T/1 has no ten samples
  EXPECT_NEAR(result->pass_at[0].value, (0.2 + 1.0) / 2, 1e-12);
}

TEST_F(HumanEval, EveryProblemNeedsASample) {
  const std::vector<CodeProblem> problems{add_problem("T/0"), add_problem("T/1")};
  const std::vector<CodeCompletion> completions{{"T/0", "    return a + b\n"}};
  EXPECT_THAT(judge_code(problems, completions, {}, {}).error().text(),
              HasSubstr("no completion for T/1"));
}

TEST_F(HumanEval, StopsWhenAsked) {
  const std::vector<CodeProblem> problems{add_problem("T/0")};
  const std::vector<CodeCompletion> completions(20, {"T/0", "    return a + b\n"});
  const auto result =
      judge_code(problems, completions, {}, [](std::int64_t, std::int64_t) { return false; });
  ASSERT_FALSE(result.ok());
  EXPECT_EQ(result.error().kind, ErrorKind::kInterrupted);
}

TEST_F(HumanEval, ReadsProblemsAndSamples) {
  const std::string row =
      R"({"task_id":"T/0","prompt":"p","entry_point":"e","test":"t","canonical_solution":"c"})";
  const auto problems = read_humaneval(write("p.jsonl", row + "\n"));
  ASSERT_TRUE(problems.ok()) << problems.error().text();
  EXPECT_EQ((*problems)[0].entry_point, "e");
  EXPECT_THAT(read_humaneval(write("p.jsonl", row + "\n" + row)).error().text(),
              HasSubstr("p.jsonl:2 has the task_id T/0 of p.jsonl:1"));
  EXPECT_THAT(read_humaneval(write("p.jsonl", R"({"task_id":"T/0"})")).error().text(),
              HasSubstr("has no text \"prompt\""));
  const auto samples = read_completions(write("s.jsonl", R"({"task_id":"T/0","completion":"x"})"));
  ASSERT_TRUE(samples.ok());
  EXPECT_EQ((*samples)[0].text, "x");
  EXPECT_FALSE(read_completions(write("s.jsonl", R"({"task_id":"T/0","completion":1})")).ok());
}

// A model whose letters lead from one to the next: a line that begins with @ ends the function.
TEST(CodeWriter, WritesUntilTheFunctionIsOver) {
  test::BigramModel model(31, 1.0, 64);
  for (const auto& [from, to] : {std::pair{':', '\n'}, {' ', 'x'}, {'x', '!'}, {'!', '\n'}}) {
    model.set_logit(from, to, 60.0);
  }
  model.set_logit('\n', ' ', 60.0);
  const std::vector<CodeProblem> problems{{"T/0", "f():", "f", ""}};
  const auto plain =
      write_completions(model.eval_model(), problems, {.temperature = 0, .max_tokens = 8}, {});
  ASSERT_TRUE(plain.ok()) << plain.error().text();
  EXPECT_EQ((*plain)[0].text, "\n x!\n x!");
  model.set_logit('\n', '@', 90.0);
  const auto cut =
      write_completions(model.eval_model(), problems, {.temperature = 0, .max_tokens = 8}, {});
  ASSERT_TRUE(cut.ok());
  EXPECT_EQ((*cut)[0].text, "");
}

TEST(CodeWriter, SamplesAreDecidedBySeedProblemAndNumber) {
  test::BigramModel model(32, 1.0, 64);
  const std::vector<CodeProblem> problems{{"T/0", "a", "f", ""}, {"T/1", "a", "f", ""}};
  const WritingSettings settings{.samples = 2, .temperature = 1.0, .max_tokens = 12, .seed = 7};
  const auto once = write_completions(model.eval_model(), problems, settings, {});
  const auto again = write_completions(model.eval_model(), problems, settings, {});
  ASSERT_TRUE(once.ok() && again.ok());
  ASSERT_EQ(once->size(), 4u);
  EXPECT_EQ((*once)[2].task_id, "T/1");
  for (std::size_t i = 0; i < 4; ++i) {
    EXPECT_EQ((*once)[i].text, (*again)[i].text);
  }
  EXPECT_NE((*once)[0].text, (*once)[1].text);
  EXPECT_NE((*once)[0].text, (*once)[2].text);
}

TEST(CodeWriter, NamesTheProblemThatDoesNotFit) {
  test::BigramModel model(33, 1.0, 8);
  const std::vector<CodeProblem> problems{{"T/9", std::string(20, 'a'), "f", ""}};
  EXPECT_THAT(write_completions(model.eval_model(), problems, {}, {}).error().text(),
              HasSubstr("T/9"));
}

}  // namespace
}  // namespace lathe
