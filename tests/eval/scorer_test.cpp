// Log-likelihoods and perplexities against models of known predictions, and against the loss of the
// same transformer asked token by token.
#include "engine/eval/scorer.h"
#include "engine/backend/sums.h"

#include <gmock/gmock.h>

#include <limits>
#include <numeric>

#include "engine/eval/perplexity.h"
#include "tests/eval/bigram_model.h"

namespace lathe {
namespace {

using test::BigramModel;
using testing::HasSubstr;

std::vector<std::int32_t> ids_of(std::string_view text) {
  std::vector<std::int32_t> ids;
  for (const char c : text) {
    ids.push_back(static_cast<unsigned char>(c));
  }
  return ids;
}

TEST(Scorer, GivesTheLikelihoodOfEachSequence) {
  BigramModel model(1);
  std::vector<ScoreRequest> requests;
  // Lengths in no order, so that batches mix and sort them.
  for (const std::size_t length : {5u, 40u, 2u, 17u, 40u, 3u, 33u}) {
    std::vector<std::int32_t> ids(length);
    std::iota(ids.begin(), ids.end(), static_cast<std::int32_t>(3 * length));
    requests.push_back(
        {.ids = ids, .first_scored = static_cast<std::int64_t>(length) / 2, .place = "sequence"});
  }
  const auto scores = score_sequences(model.eval_model(), requests, {});
  ASSERT_TRUE(scores.ok()) << scores.error().text();
  for (std::size_t i = 0; i < requests.size(); ++i) {
    const auto first = static_cast<std::size_t>(requests[i].first_scored);
    EXPECT_NEAR((*scores)[i].log_likelihood, -model.nll(requests[i].ids, first), 2e-4) << i;
    EXPECT_EQ((*scores)[i].tokens, static_cast<std::int64_t>(requests[i].ids.size() - first));
  }
}

TEST(Scorer, SaysWhetherGreedyDecodingWouldGiveTheSequence) {
  BigramModel model(2);
  model.set_logit('a', 'b', 9.0);
  model.set_logit('b', 'c', 9.0);
  const std::vector<ScoreRequest> requests{{.ids = ids_of("abc"), .place = ""},
                                           {.ids = ids_of("abd"), .place = ""}};
  const auto scores = score_sequences(model.eval_model(), requests, {});
  ASSERT_TRUE(scores.ok());
  EXPECT_TRUE((*scores)[0].greedy);
  EXPECT_FALSE((*scores)[1].greedy);
}

// Requests whose inputs begin one another share a row of the batch; the order they come in, and
// requests that are equal, must not matter.
TEST(Scorer, SharesInputsWithoutMixingThemUp) {
  BigramModel model(8, 3.0, 12);
  std::vector<ScoreRequest> requests;
  for (const char* text : {"is it so? yes", "is it so? no", "is it so? n", "is it so? yes", "is it",
                           "other", "is it so? y", "a text longer than the context is cut here",
                           "a text longer than the context is cut her"}) {
    requests.push_back({.ids = ids_of(text), .first_scored = 4, .place = text});
    requests.back().first_scored =
        std::max<std::int64_t>(4, static_cast<std::int64_t>(requests.back().ids.size()) - 3);
  }
  const auto scores = score_sequences(model.eval_model(), requests, {});
  ASSERT_TRUE(scores.ok()) << scores.error().text();
  for (std::size_t i = 0; i < requests.size(); ++i) {
    EXPECT_NEAR((*scores)[i].log_likelihood,
                -model.nll(requests[i].ids, static_cast<std::size_t>(requests[i].first_scored)),
                1e-4)
        << requests[i].place;
  }
}

// A real transformer, where a wrong row or a missing mask would show: the same sequence alone, in a
// batch behind longer ones, and through the training loss, one target at a time.
TEST(Scorer, AgreesWithTheLossOfSingleTargets) {
  const auto backend = std::move(*make_backend("cpu", 2));
  const ModelConfig config{
      .dim = 32, .layers = 2, .heads = 4, .kv_heads = 2, .ff_dim = 64, .vocab_size = 50};
  Transformer transformer(*backend, config, dense_plan(config));
  transformer.initialise(5);
  const EvalModel model{.backend = backend.get(),
                        .transformer = &transformer,
                        .vocab_size = 50,
                        .context = 32,
                        .prefix_id = 0,
                        .encode = {}};
  const std::vector<std::int32_t> ids{7, 3, 49, 0, 12, 12, 30, 8};
  std::vector<std::int32_t> longer(30);
  std::iota(longer.begin(), longer.end(), 9);
  const std::vector<ScoreRequest> requests{{.ids = ids, .first_scored = 3, .place = ""},
                                           {.ids = longer, .first_scored = 1, .place = ""}};
  const auto together = score_sequences(model, requests, {});
  const auto alone = score_sequences(model, std::span(requests).first(1), {});
  ASSERT_TRUE(together.ok() && alone.ok());
  double nll = 0;
  const std::int64_t inputs = 7;
  for (std::size_t row = 2; row < 7; ++row) {
    std::vector<std::int32_t> targets(7, -1);
    targets[row] = ids[row + 1];
    const Tensor in = workspace(*backend, "test", "ids", Shape{inputs}, DType::kI32);
    const Tensor out = workspace(*backend, "test", "targets", Shape{inputs}, DType::kI32);
    backend->write(in, ids.data(), inputs * 4);
    backend->write(out, targets.data(), inputs * 4);
    const Tensor sums = make_sums(*backend, "test", "sums");
    transformer.evaluate(in, out, {.batch = 1, .seq_len = inputs}, 0, sums);
    nll += read_cross_entropy(*backend, sums).loss;
  }
  EXPECT_NEAR((*alone)[0].log_likelihood, -nll, 1e-4);
  EXPECT_NEAR((*together)[0].log_likelihood, -nll, 1e-4);
}

TEST(Scorer, CutsTheContextFromTheLeftAndNeverTheScoredPart) {
  BigramModel model(3, 3.0, 8);
  std::vector<std::int32_t> ids(20);
  std::iota(ids.begin(), ids.end(), 65);
  const std::vector<ScoreRequest> fits{{.ids = ids, .first_scored = 14, .place = ""}};
  const auto scores = score_sequences(model.eval_model(), fits, {});
  ASSERT_TRUE(scores.ok());
  EXPECT_NEAR((*scores)[0].log_likelihood, -model.nll(ids, 14), 1e-4);
  const std::vector<ScoreRequest> too_long{{.ids = ids, .first_scored = 3, .place = "item 4"}};
  const auto refused = score_sequences(model.eval_model(), too_long, {});
  ASSERT_FALSE(refused.ok());
  EXPECT_EQ(refused.error().kind, ErrorKind::kData);
  EXPECT_THAT(refused.error().text(), HasSubstr("item 4 has 17 tokens to score"));
}

TEST(Scorer, RefusesWhatCannotBeScored) {
  BigramModel model(3);
  for (const ScoreRequest& request :
       {ScoreRequest{.ids = {}, .place = "empty"}, ScoreRequest{.ids = {1}, .place = "one"},
        ScoreRequest{.ids = {1, 2}, .first_scored = 0, .place = "zero"},
        ScoreRequest{.ids = {1, 260}, .place = "beyond"},
        ScoreRequest{.ids = {-1, 2}, .place = "negative"}}) {
    const auto scores = score_sequences(model.eval_model(), std::span(&request, 1), {});
    ASSERT_FALSE(scores.ok()) << request.place;
    EXPECT_THAT(scores.error().text(), HasSubstr(request.place));
  }
}

// The column of 'x' is damaged: every text without an x is scored, each with one is refused.
TEST(Scorer, NamesTheTokenBeforeWhichLogitsAreNotFinite) {
  for (const double bad :
       {std::numeric_limits<double>::quiet_NaN(), std::numeric_limits<double>::infinity(),
        -std::numeric_limits<double>::infinity()}) {
    BigramModel model(4);
    model.set_logit('x', 'q', bad);
    const std::vector<ScoreRequest> requests{{.ids = ids_of("abcdef"), .place = "item 1"},
                                             {.ids = ids_of("abxcd"), .place = "item 2"}};
    const auto scores = score_sequences(model.eval_model(), requests, {});
    ASSERT_FALSE(scores.ok());
    EXPECT_EQ(scores.error().kind, ErrorKind::kDiverged);
    EXPECT_THAT(scores.error().text(), HasSubstr("item"));
    EXPECT_THAT(scores.error().text(), HasSubstr("are not finite"));
  }
}

TEST(Scorer, StopsWhenAsked) {
  BigramModel model(5);
  std::vector<ScoreRequest> requests(100, {.ids = ids_of(std::string(60, 'a')), .place = ""});
  for (std::size_t i = 0; i < requests.size(); ++i) {
    requests[i].ids.front() = static_cast<std::int32_t>(i);
  }
  int calls = 0;
  const auto scores =
      score_sequences(model.eval_model(), requests, [&](std::int64_t done, std::int64_t total) {
        EXPECT_LT(done, total);
        ++calls;
        return false;
      });
  ASSERT_FALSE(scores.ok());
  EXPECT_EQ(scores.error().kind, ErrorKind::kInterrupted);
  EXPECT_EQ(calls, 1);
}

TEST(WindowPerplexity, PredictsAllButTheFirstTokenOfEachWindowAndDropsTheTail) {
  BigramModel model(6);
  std::string text;
  for (int i = 0; i < 47; ++i) {
    text += static_cast<char>('a' + i * 7 % 26);
  }
  const auto ids = ids_of(text);
  double nll = 0;
  for (std::size_t window = 0; window < 4; ++window) {
    for (std::size_t i = window * 10 + 1; i < window * 10 + 10; ++i) {
      nll += model.nll(ids[i - 1], ids[i]);
    }
  }
  const auto report = window_perplexity(model.eval_model(), text, 10, 0, {});
  ASSERT_TRUE(report.ok()) << report.error().text();
  EXPECT_EQ(report->windows, 4);
  EXPECT_EQ(report->tokens, 36);
  EXPECT_EQ(report->text_tokens, 47);
  EXPECT_NEAR(report->nll, nll / 36, 1e-5);
  EXPECT_NEAR(report->perplexity, std::exp(nll / 36), 1e-3);
}

TEST(WindowPerplexity, BeginsTheStreamAsTheTokenizerDoes) {
  BigramModel model(6);
  model.adds_prefix = true;
  const auto report = window_perplexity(model.eval_model(), "abcde", 6, 0, {});
  ASSERT_TRUE(report.ok());
  EXPECT_EQ(report->text_tokens, 6);
  EXPECT_NEAR(report->nll, (model.nll(256, 'a') + model.nll(ids_of("abcde"), 1)) / 5, 1e-5);
}

TEST(WindowPerplexity, RefusesTextsAndWindowsThatGiveNothing) {
  BigramModel model(6);
  EXPECT_THAT(window_perplexity(model.eval_model(), "short", 10, 0, {}).error().text(),
              HasSubstr("5 tokens, less than one window of 10"));
  EXPECT_EQ(window_perplexity(model.eval_model(), "", 0, 0, {}).error().kind, ErrorKind::kData);
  for (const std::int64_t window : {-1, 1, 65}) {
    EXPECT_EQ(window_perplexity(model.eval_model(), "text", window, 0, {}).error().kind,
              ErrorKind::kUsage);
  }
}

TEST(RollingPerplexity, PredictsEveryTokenOnce) {
  BigramModel model(7, 3.0, 8);
  // 21 tokens: windows of 8, 8 and 5; the last one's input reaches back over scored tokens.
  const std::vector<RollingDocument> documents{{"the quick brown fox.s", "the quick brown fox.s"},
                                               {"jumps", "jumps !"}};
  double nll = model.nll(256, 't') + model.nll(ids_of(documents[0].text), 1);
  nll += model.nll(256, 'j') + model.nll(ids_of(documents[1].text), 1);
  const auto report = rolling_perplexity(model.eval_model(), documents, 0, {});
  ASSERT_TRUE(report.ok()) << report.error().text();
  EXPECT_EQ(report->tokens, 26);
  EXPECT_EQ(report->words, 4 + 2);
  EXPECT_EQ(report->bytes, 21 + 7);
  EXPECT_NEAR(report->word_perplexity / std::exp(nll / 6), 1.0, 1e-4);
  EXPECT_NEAR(report->byte_perplexity / std::exp(nll / 28), 1.0, 1e-5);
  EXPECT_NEAR(report->bits_per_byte, nll / 28 / std::log(2.0), 1e-5);
  EXPECT_NEAR(report->token_perplexity / std::exp(nll / 26), 1.0, 1e-5);
}

TEST(RollingPerplexity, RefusesEmptyDocuments) {
  BigramModel model(7);
  const std::vector<RollingDocument> documents{{"", ""}};
  EXPECT_EQ(rolling_perplexity(model.eval_model(), documents, 0, {}).error().kind,
            ErrorKind::kData);
}

}  // namespace
}  // namespace lathe
