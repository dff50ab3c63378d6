// Specs to results: which text is scored by which task, and the words of the rules.
#include "engine/eval/evaluate.h"

#include <gmock/gmock.h>

#include <cmath>

#include "engine/eval/text_rules.h"
#include "tests/eval/bigram_model.h"
#include "tests/eval/eval_folder.h"

namespace lathe {
namespace {

using test::BigramModel;
using testing::HasSubstr;

class Evaluate : public test::EvalFolder {
 protected:
  EvalOutcome run(const EvalSpec& spec) {
    const EvalModel model = model_.eval_model();
    auto outcome = evaluate(&model, spec, {});
    EXPECT_TRUE(outcome.ok()) << outcome.error().text();
    return outcome.ok() ? *outcome : EvalOutcome{};
  }
  static double value(const EvalOutcome& outcome, const std::string& metric) {
    for (const EvalMetric& one : outcome.metrics) {
      if (one.metric == metric) {
        return one.value;
      }
    }
    ADD_FAILURE() << "no " << metric;
    return std::nan("");
  }
  double nll(const std::string& text, std::int32_t prefix = -1) const {
    std::vector<std::int32_t> ids;
    if (prefix >= 0) {
      ids.push_back(prefix);
    }
    for (const char c : text) {
      ids.push_back(static_cast<unsigned char>(c));
    }
    return model_.nll(ids, 1);
  }

  BigramModel model_{11, 3.0, 64};
};

TEST_F(Evaluate, WindowsOfAPlainTextTakeItAsItIs) {
  const std::string text = " = A = \n \n b . \n";
  const auto outcome = run({.data = write("t.txt", text), .window = 16});
  EXPECT_NEAR(value(outcome, "task/nll"), nll(text) / 15, 1e-5);
  EXPECT_EQ(outcome.details["windows"], 1);
}

TEST_F(Evaluate, WindowsOfWikiTextJoinItsRowsByTwoNewlines) {
  const std::string joined = " = A = \n\n\n\n\n b . \n";
  const auto outcome = run({.data = write("t.txt", " = A = \n \n b . \n"),
                            .window = static_cast<std::int64_t>(joined.size()),
                            .text = TextForm::kWikitext});
  EXPECT_NEAR(value(outcome, "task/nll"), nll(joined) / double(joined.size() - 1), 1e-5);
}

TEST_F(Evaluate, WindowsOfJsonLinesJoinTheTexts) {
  const auto outcome =
      run({.data = write("t.jsonl", "{\"text\":\"abc\"}\n{\"text\":\"de\"}\n"), .window = 7});
  EXPECT_NEAR(value(outcome, "task/nll"), nll("abc\n\nde") / 6, 1e-5);
}

TEST_F(Evaluate, TheTwoRulesGiveTwoNumbersEachWithItsName) {
  const std::string path = write("t.txt", "one text that both of them read");
  const auto windows = run({.data = path, .window = 10});
  const auto rolling = run({.task = EvalTask::kRolling, .data = path, .window = 10});
  EXPECT_NE(value(windows, "task/ppl"), value(rolling, "task/token_ppl"));
  EXPECT_THAT(windows.rule, HasSubstr("windows of 10 tokens of the joined text"));
  EXPECT_THAT(rolling.rule, HasSubstr("each document apart, windows of 10"));
  EXPECT_EQ(value(windows, "task/tokens"), 27);
  EXPECT_EQ(value(rolling, "task/tokens"), 31);
}

TEST_F(Evaluate, RollingReadsPagesAndDividesByTheOriginal) {
  const std::string pages = "{\"page\":\"a @-@ b\"}\n{\"page\":\"c d e\"}\n";
  const auto outcome = run(
      {.task = EvalTask::kRolling, .data = write("t.jsonl", pages), .text = TextForm::kWikitext});
  const double sum = nll("a-b", 256) + nll("c d e", 256);
  EXPECT_EQ(outcome.details["words"], 6);
  EXPECT_NEAR(value(outcome, "task/word_ppl") / std::exp(sum / 6), 1.0, 1e-4);
  EXPECT_NEAR(value(outcome, "task/bits_per_byte"), sum / 12 / std::log(2.0), 1e-4);
  const auto first = run({.task = EvalTask::kRolling,
                          .data = write("t.jsonl", pages),
                          .limit = 1,
                          .text = TextForm::kWikitext});
  EXPECT_EQ(first.details["documents"], 1);
}

TEST_F(Evaluate, ASetOfMultipleChoice) {
  // The model finds "y" after a space likelier than "n".
  model_.set_logit(' ', 'y', 9.0);
  model_.set_logit(' ', 'n', -9.0);
  const std::string rows =
      "{\"passage\":\"p\",\"question\":\"q\",\"answer\":true}\n"
      "{\"passage\":\"p\",\"question\":\"q\",\"answer\":true}\n"
      "{\"passage\":\"p\",\"question\":\"q\",\"answer\":false}\n";
  const auto outcome = run({.task = EvalTask::kBoolq, .data = write("b.jsonl", rows)});
  EXPECT_NEAR(value(outcome, "task/acc"), 2.0 / 3, 1e-12);
  EXPECT_EQ(outcome.metrics.size(), 3u);  // no acc_norm
  const auto two = run({.task = EvalTask::kBoolq, .data = write("b.jsonl", rows), .limit = 2});
  EXPECT_EQ(value(two, "task/acc"), 1.0);
  EXPECT_EQ(value(two, "task/items"), 2);
}

TEST_F(Evaluate, SentimentIsTheLikeliestLabel) {
  model_.set_logit(' ', 'p', 9.0);  // " positive" begins best, whatever the text
  const auto outcome = run({.task = EvalTask::kSentiment,
                            .data = write("s.csv", "text,label\nup,1\ndown,0\nup,1\n"),
                            .labels = SentimentLabels::kTfns});
  EXPECT_NEAR(value(outcome, "task/acc"), 2.0 / 3, 1e-12);
  EXPECT_NEAR(value(outcome, "task/weighted_f1"), 0.8 * 2 / 3, 1e-12);
  EXPECT_EQ(outcome.details["classes"][2]["label"], "positive");
  EXPECT_EQ(outcome.details["classes"][0]["answered"], Json::array({0, 0, 1}));
}

TEST_F(Evaluate, AWrongSetIsAnErrorNotANumber) {
  const EvalModel model = model_.eval_model();
  const std::string wrong = write("w.jsonl", "{\"some\":\"thing\"}\n");
  for (const EvalTask task :
       {EvalTask::kPpl, EvalTask::kRolling, EvalTask::kPiqa, EvalTask::kHellaswag,
        EvalTask::kWinogrande, EvalTask::kArc, EvalTask::kBoolq, EvalTask::kSentiment}) {
    const auto outcome = evaluate(&model, {.task = task, .data = wrong}, {});
    ASSERT_FALSE(outcome.ok()) << enum_name(task);
    EXPECT_EQ(outcome.error().kind, ErrorKind::kData) << enum_name(task);
  }
}

}  // namespace
}  // namespace lathe
