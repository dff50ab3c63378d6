// Likelihoods of a pretrained model against those that an independent float64 program computed
// (stories260k/oracle_dev.json), through the scorer and the rolling rule. LATHE_DATA names the
// data.
#include <gtest/gtest.h>

#include <cmath>
#include <fstream>
#include <sstream>

#include "engine/base/json.h"
#include "engine/eval/perplexity.h"
#include "engine/eval/scorer.h"
#include "engine/eval/text_rules.h"
#include "tests/eval/stories_fixture.h"

namespace lathe {
namespace {

class Stories : public test::StoriesFixture {
 protected:
  void SetUp() override {
    test::StoriesFixture::SetUp();
    if (!data_.empty()) {
      oracle_ = *read_json_file(data_ + "/stories260k/oracle_dev.json");
      read_stories();
    }
  }

  void read_stories() {
    std::ostringstream text;
    text << std::ifstream(data_ + "/tinystories/tinystories_train.txt").rdbuf();
    const std::string all = text.str();
    const std::string mark = "<|endoftext|>";
    for (std::size_t at = 0; at <= all.size();) {
      const std::size_t end = std::min(all.find(mark, at), all.size());
      std::string story = all.substr(at, end - at);
      story.erase(0, std::min(story.find_first_not_of('\n'), story.size()));
      story.erase(story.find_last_not_of('\n') + 1);
      stories_.push_back(story);
      at = end + mark.size();
    }
  }

  // As the oracle cut them: 256 ids with the BOS.
  EvalModel cut_model() {
    EvalModel model = eval_model();
    model.encode = [this](std::string_view text, bool) {
      auto ids = tokenizer_->encode(text);
      ids.resize(std::min<std::size_t>(ids.size(), 255));
      return ids;
    };
    return model;
  }

  Json oracle_;
  std::vector<std::string> stories_;
};

TEST_F(Stories, EachHasTheLikelihoodThatTheOracleGives) {
  std::vector<ScoreRequest> requests;
  for (const Json& row : oracle_["stories"]) {
    const std::string& story = stories_.at(row["story"].get<std::size_t>());
    ScoreRequest request{.ids = {kBos}, .first_scored = 1, .place = "story"};
    for (const std::int32_t id : cut_model().encode(story, false)) {
      request.ids.push_back(id);
    }
    const auto first = row["first_ids"].get<std::vector<std::int32_t>>();
    ASSERT_TRUE(std::equal(first.begin(), first.end(), request.ids.begin())) << row["story"];
    requests.push_back(std::move(request));
  }
  const auto scores = score_sequences(cut_model(), requests, {});
  ASSERT_TRUE(scores.ok()) << scores.error().text();
  for (std::size_t i = 0; i < requests.size(); ++i) {
    const Json& row = oracle_["stories"][i];
    EXPECT_EQ((*scores)[i].tokens, row["tokens"].get<std::int64_t>());
    EXPECT_NEAR(-(*scores)[i].log_likelihood, row["sum_nll"].get<double>(), 2e-3) << row["story"];
  }
}

TEST_F(Stories, TheRollingRuleGivesTheOraclesPerplexity) {
  std::vector<RollingDocument> documents;
  std::int64_t words = 0;
  for (const Json& row : oracle_["stories"]) {
    const std::string& story = stories_.at(row["story"].get<std::size_t>());
    documents.push_back({.text = story, .original = story});
    words += word_count(story);
  }
  const auto report = rolling_perplexity(cut_model(), documents, 0, {});
  ASSERT_TRUE(report.ok()) << report.error().text();
  EXPECT_EQ(report->tokens, oracle_["total_tokens"].get<std::int64_t>());
  EXPECT_NEAR(report->token_perplexity, oracle_["perplexity"].get<double>(), 1e-4);
  const double nll = oracle_["total_nll"].get<double>();
  EXPECT_NEAR(report->word_perplexity, std::exp(nll / static_cast<double>(words)), 1e-2);
}

// Cut into windows of 100 tokens a story is less likely than whole, and by how much is not guessed:
// every window is scored apart, as its own request.
TEST_F(Stories, RollingWindowsEqualRequestsOfTheirOwn) {
  const std::string& story = stories_.at(0);
  const auto ids = cut_model().encode(story, false);
  std::vector<ScoreRequest> requests(3);
  requests[0].ids = {kBos};
  requests[0].ids.insert(requests[0].ids.end(), ids.begin(), ids.begin() + 100);
  requests[1].ids = {ids.begin() + 99, ids.begin() + 200};
  requests[2] = {.ids = {ids.end() - 101, ids.end()},
                 .first_scored = 101 - (static_cast<std::int64_t>(ids.size()) - 200),
                 .place = ""};
  const auto scores = score_sequences(cut_model(), requests, {});
  ASSERT_TRUE(scores.ok()) << scores.error().text();
  double nll = 0;
  for (const SequenceScore& score : *scores) {
    nll -= score.log_likelihood;
  }
  const RollingDocument document{.text = story, .original = story};
  const auto report = rolling_perplexity(cut_model(), std::span(&document, 1), 100, {});
  ASSERT_TRUE(report.ok()) << report.error().text();
  EXPECT_NEAR(std::log(report->token_perplexity) * static_cast<double>(ids.size()), nll, 1e-3);
}

}  // namespace
}  // namespace lathe
