// The published sets on a pretrained model, against numbers that an independent program computed in
// float64 by the harness' rules: tests/peers/choice_reference.py prints what stands here.
#include <cmath>

#include "engine/eval/choice_sets.h"
#include "engine/eval/evaluate.h"
#include "engine/eval/multiple_choice.h"
#include "engine/eval/sentiment.h"
#include "tests/eval/stories_fixture.h"

namespace lathe {
namespace {

constexpr std::size_t kItems = 40;

struct Expected {
  double acc = 0;
  double acc_norm = 0;
  double sum = 0;  // of all log-likelihoods
};

class Harness : public test::StoriesFixture {
 protected:
  void expect(Result<std::vector<ChoiceItem>> items, const Expected& expected) {
    ASSERT_TRUE(items.ok()) << items.error().text();
    items->resize(kItems);
    const auto scores = score_choices(eval_model(), *items, false, {});
    ASSERT_TRUE(scores.ok()) << scores.error().text();
    double sum = 0;
    for (const std::vector<double>& item : *scores) {
      for (const double score : item) {
        sum += score;
      }
    }
    const MultipleChoiceResult result = judge(*items, *scores);
    EXPECT_NEAR(result.acc.value, expected.acc, 1e-12);
    EXPECT_NEAR(result.acc_norm.value, expected.acc_norm, 1e-12);
    EXPECT_NEAR(sum / expected.sum, 1.0, 1e-5);
  }
};

TEST_F(Harness, Piqa) {
  expect(read_piqa(data_ + "/piqa/valid_first919.jsonl", ""), {0.425, 0.425, -14618.3703});
}

TEST_F(Harness, HellaSwag) {
  expect(read_hellaswag(data_ + "/hellaswag/val_mod10_0.jsonl"), {0.35, 0.325, -15566.7106});
}

TEST_F(Harness, WinoGrande) {
  expect(read_winogrande(data_ + "/winogrande/dev_first633.jsonl"), {0.55, 0.475, -3064.0775});
}

TEST_F(Harness, Arc) {
  expect(read_arc(data_ + "/arc/ARC-Challenge-Dev.jsonl"), {0.125, 0.2, -10971.8621});
}

TEST_F(Harness, BoolQ) {
  expect(read_boolq(data_ + "/boolq/dev_first1635.jsonl"), {0.2, 0.75, -730.7460});
}

TEST_F(Harness, Sentiment) {
  auto set = read_sentiment(data_ + "/tfns/tfns_test_even.csv", SentimentLabels::kTfns);
  ASSERT_TRUE(set.ok()) << set.error().text();
  expect(std::move(set->items), {0.625, 0.625, -4176.9360});
}

TEST_F(Harness, WikiText) {
  const EvalModel model = eval_model();
  const auto outcome = evaluate(&model,
                                {.task = EvalTask::kRolling,
                                 .data = data_ + "/wikitext2/wiki.valid.tokens",
                                 .limit = 2,
                                 .text = TextForm::kWikitext},
                                {});
  ASSERT_TRUE(outcome.ok()) << outcome.error().text();
  EXPECT_EQ(outcome->details["words"], 4342);
  EXPECT_EQ(outcome->details["bytes"], 22583);
  EXPECT_EQ(outcome->metrics[2].metric, "task/bits_per_byte");
  EXPECT_NEAR(outcome->metrics[2].value, 74061.8468 / 22583 / std::log(2.0), 1e-4);
}

// Every reader on every row of the published files.
TEST_F(Harness, WholeFilesAreRead) {
  EXPECT_EQ(read_piqa(data_ + "/piqa/valid_first919.jsonl", "")->size(), 919u);
  EXPECT_EQ(read_hellaswag(data_ + "/hellaswag/val_mod10_0.jsonl")->size(), 1005u);
  EXPECT_EQ(read_winogrande(data_ + "/winogrande/dev_first633.jsonl")->size(), 633u);
  EXPECT_EQ(read_arc(data_ + "/arc/arc_easy_test_first1188.jsonl")->size(), 1188u);
  EXPECT_EQ(read_arc(data_ + "/arc/ARC-Challenge-Test_first586.jsonl")->size(), 586u);
  EXPECT_EQ(read_boolq(data_ + "/boolq/dev_first1635.jsonl")->size(), 1635u);
  EXPECT_EQ(read_sentiment(data_ + "/fpb/fpb_train.jsonl", SentimentLabels::kAuto)->items.size(),
            3628u);
  EXPECT_EQ(read_sentiment(data_ + "/fiqa/fiqa_train.json", SentimentLabels::kFiqa)->items.size(),
            765u);
  EXPECT_EQ(read_sentiment(data_ + "/tfns/tfns_train.csv", SentimentLabels::kTfns)->items.size(),
            9528u);
  EXPECT_EQ(
      read_sentiment(data_ + "/finlora/nwgi_test_dev1000.jsonl", SentimentLabels::kAuto)->labels,
      (std::vector<std::string>{"mildly negative", "mildly positive", "moderately negative",
                                "moderately positive", "neutral", "strong negative",
                                "strong positive"}));
}

}  // namespace
}  // namespace lathe
