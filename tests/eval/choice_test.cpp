// Multiple choice and classification: joint encoding, the two accuracies, ties, F1s.
#include <gmock/gmock.h>

#include "engine/eval/classification.h"
#include "engine/eval/multiple_choice.h"
#include "tests/eval/bigram_model.h"

namespace lathe {
namespace {

using test::BigramModel;
using testing::HasSubstr;

ChoiceItem item_of(const std::string& context, const std::vector<std::string>& answers,
                   std::size_t gold) {
  ChoiceItem item{.choices = {}, .gold = gold, .place = "set:1"};
  for (const std::string& answer : answers) {
    item.choices.push_back({.context = context, .continuation = ' ' + answer, .text = answer});
  }
  return item;
}

std::vector<std::int32_t> ids_of(std::string_view text) {
  std::vector<std::int32_t> ids;
  for (const char c : text) {
    ids.push_back(static_cast<unsigned char>(c));
  }
  return ids;
}

TEST(MultipleChoice, ScoresTheContinuationGivenTheContext) {
  BigramModel model(21);
  const std::vector<ChoiceItem> items{item_of("is it?", {"no", "yes"}, 1)};
  const auto scores = score_choices(model.eval_model(), items, false, {});
  ASSERT_TRUE(scores.ok()) << scores.error().text();
  EXPECT_NEAR((*scores)[0][0], -model.nll(ids_of("is it? no"), 6), 1e-4);
  EXPECT_NEAR((*scores)[0][1], -model.nll(ids_of("is it? yes"), 6), 1e-4);
}

TEST(MultipleChoice, SpacesAtTheContextsEndAreScored) {
  BigramModel model(21);
  std::vector<ChoiceItem> items{item_of("Answer: \n", {"x", "y"}, 0)};
  items[0].choices[0].continuation = "x";
  const auto scores = score_choices(model.eval_model(), items, false, {});
  ASSERT_TRUE(scores.ok());
  EXPECT_NEAR((*scores)[0][0], -model.nll(ids_of("Answer: \nx"), 7), 1e-4);
}

TEST(MultipleChoice, AnEmptyContextIsThePrefix) {
  BigramModel model(21);
  for (const char* context : {"", "  "}) {
    const std::vector<ChoiceItem> items{item_of(context, {"no", "yes"}, 1)};
    const auto scores = score_choices(model.eval_model(), items, false, {});
    ASSERT_TRUE(scores.ok());
    auto ids = ids_of(std::string(context) + " no");
    ids.insert(ids.begin(), 256);
    EXPECT_NEAR((*scores)[0][0], -model.nll(ids, 1), 1e-4);
  }
}

TEST(MultipleChoice, TheTokenizersOwnTokensGoInFrontWhereAsked) {
  BigramModel model(21);
  model.adds_prefix = true;
  const std::vector<ChoiceItem> items{item_of("c", {"no", "yes"}, 1)};
  const auto scores = score_choices(model.eval_model(), items, true, {});
  ASSERT_TRUE(scores.ok());
  EXPECT_NEAR((*scores)[0][0], -model.nll(ids_of("c no"), 1), 1e-4);
}

// A tokenizer that joins the context's last letter with the space behind it: what is scored begins
// where the context's own ids end, in the ids of both together.
TEST(MultipleChoice, EncodesContextAndContinuationTogether) {
  BigramModel model(21);
  EvalModel joined = model.eval_model();
  joined.encode = [](std::string_view text, bool) {
    std::vector<std::int32_t> ids;
    for (std::size_t i = 0; i < text.size(); ++i) {
      const bool pair = text.substr(i, 2) == ": ";
      ids.push_back(pair ? 258 : static_cast<unsigned char>(text[i]));
      i += pair ? 1 : 0;
    }
    return ids;
  };
  const std::vector<ChoiceItem> items{item_of("A:", {"no", "yes"}, 1)};
  const auto scores = score_choices(joined, items, false, {});
  ASSERT_TRUE(scores.ok());
  EXPECT_NEAR((*scores)[0][0], -model.nll({'A', 258, 'n', 'o'}, 2), 1e-4);
}

TEST(MultipleChoice, NamesItemAndChoiceOfWhatCannotBeScored) {
  BigramModel model(21);
  std::vector<ChoiceItem> items{item_of("c", {"no", "yes"}, 1)};
  items[0].choices[1].continuation = "";
  EXPECT_THAT(score_choices(model.eval_model(), items, false, {}).error().text(),
              HasSubstr("set:1, choice 2"));
}

TEST(Judging, AccAndAccNormMayDisagree) {
  // By sums the short answer wins, per character the long one.
  const std::vector<ChoiceItem> items{item_of("c", {"ab", "abcdefgh"}, 1)};
  const auto result = judge(items, {{-4.0, -6.0}});
  EXPECT_EQ(result.acc.value, 0.0);
  EXPECT_EQ(result.acc_norm.value, 1.0);
}

TEST(Judging, LengthIsCountedInCharactersWithoutTheJoiningSpace) {
  // 3 characters in 6 bytes against 4 in 4: by characters -3/3 beats -4.4/4, by bytes it is beaten
  // the other way, and with the space counted too.
  const std::vector<ChoiceItem> items{item_of("c", {"\u00e9\u00e9\u00e9", "abcd"}, 0)};
  EXPECT_EQ(judge(items, {{-3.0, -4.1}}).acc_norm.value, 1.0);
  EXPECT_EQ(judge(items, {{-3.0, -3.9}}).acc_norm.value, 0.0);
}

TEST(Judging, TheFirstOfEqualsWins) {
  const std::vector<ChoiceItem> items{item_of("c", {"ab", "cd", "ef"}, 1),
                                      item_of("c", {"ab", "cd", "ef"}, 0)};
  const auto result = judge(items, {{-2.0, -2.0, -2.0}, {-2.0, -2.0, -3.0}});
  EXPECT_EQ(result.acc.value, 0.5);
  EXPECT_EQ(result.acc_norm.value, 0.5);
}

TEST(Judging, TellsTheStandardErrorOfTheMean) {
  std::vector<ChoiceItem> items;
  ChoiceScores scores;
  for (int i = 0; i < 100; ++i) {
    items.push_back(item_of("c", {"ab", "cd"}, i < 40 ? 0 : 1));
    scores.push_back({-1.0, -2.0});
  }
  const auto result = judge(items, scores);
  EXPECT_DOUBLE_EQ(result.acc.value, 0.4);
  EXPECT_NEAR(result.acc.standard_error, 0.0492366, 1e-7);  // numpy: std(ddof=1) / sqrt(100)
  EXPECT_EQ(judge(std::span(items).first(1), scores).acc.standard_error, 0.0);
}

TEST(Classification, GivesTheTextbookF1s) {
  const std::vector<std::size_t> labels{0, 0, 0, 0, 1, 1, 1, 2, 2, 2};
  const std::vector<std::size_t> answers{0, 0, 0, 1, 1, 1, 0, 2, 0, 1};
  const auto result = classification_result(labels, answers, 3);
  EXPECT_DOUBLE_EQ(result.accuracy, 0.6);
  EXPECT_DOUBLE_EQ(result.classes[0].f1, 2.0 * 3 / (5 + 4));
  EXPECT_DOUBLE_EQ(result.classes[1].f1, 2.0 * 2 / (4 + 3));
  EXPECT_DOUBLE_EQ(result.classes[2].f1, 2.0 * 1 / (1 + 3));
  EXPECT_NEAR(result.macro_f1, (2.0 / 3 + 4.0 / 7 + 0.5) / 3, 1e-12);
  EXPECT_NEAR(result.weighted_f1, (2.0 / 3 * 4 + 4.0 / 7 * 3 + 0.5 * 3) / 10, 1e-12);
  EXPECT_DOUBLE_EQ(result.classes[0].precision, 0.6);
  EXPECT_DOUBLE_EQ(result.classes[0].recall, 0.75);
  EXPECT_EQ(result.confusion[2][1], 1);
}

TEST(Classification, ClassesThatNeverOccurDoNotCount) {
  const std::vector<std::size_t> labels{0, 0, 2};
  const std::vector<std::size_t> answers{0, 0, 0};
  const auto result = classification_result(labels, answers, 4);
  EXPECT_NEAR(result.macro_f1, 0.8 / 2, 1e-12);
  EXPECT_NEAR(result.weighted_f1, 0.8 * 2 / 3, 1e-12);
}

}  // namespace
}  // namespace lathe
