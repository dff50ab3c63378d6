// Generation: the most likely tokens by full passes, determinism, and every way it ends.
#include "engine/lm/generator.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <limits>

namespace lathe {
namespace {

class GeneratorTest : public testing::Test {
 protected:
  GeneratorTest() { model_.initialise(6); }

  GenerateResult run(const GenerateRequest& request, const TokenListener& listener = {},
                     std::int64_t context = 64) {
    Generator generator(*backend_, model_, config_, context);
    return generator.generate(request, listener).value();
  }

  // The most likely next token by a pass over everything.
  std::int32_t next_by_full_pass(const std::vector<std::int32_t>& ids) {
    const auto count = static_cast<std::int64_t>(ids.size());
    KvCache cache(*backend_, config_, count);
    const Tensor in = workspace(*backend_, "t", "ids", Shape{count}, DType::kI32);
    const Tensor out = workspace(*backend_, "t", "logits", Shape{1, config_.vocab_size});
    backend_->write(in, ids.data(), in.ref().bytes());
    model_.infer(in, cache, out);
    const float* logits = out.ref().f32();
    return static_cast<std::int32_t>(std::max_element(logits, logits + config_.vocab_size) -
                                     logits);
  }

  std::unique_ptr<Backend> backend_ = std::move(make_backend("cpu", 2)).value();
  ModelConfig config_{.dim = 32,
                      .layers = 2,
                      .heads = 4,
                      .kv_heads = 2,
                      .ff_dim = 64,
                      .vocab_size = 101,
                      .init_std = 0.3};
  Transformer model_{*backend_, config_, dense_plan(config_)};
  GenerateRequest request_{.prompt = {5, 17, 80}, .max_tokens = 12, .stop_ids = {}, .sampling = {}};
};

TEST_F(GeneratorTest, TakesTheMostLikelyTokensOfFullPasses) {
  std::vector<std::int32_t> told;
  const GenerateResult result = run(request_, [&](std::int32_t id) {
    told.push_back(id);
    return true;
  });
  std::vector<std::int32_t> sequence = request_.prompt;
  for (int i = 0; i < 12; ++i) {
    sequence.push_back(next_by_full_pass(sequence));
  }
  EXPECT_EQ(result.ids, std::vector<std::int32_t>(sequence.begin() + 3, sequence.end()));
  EXPECT_EQ(told, result.ids);
  EXPECT_EQ(result.reason, StopReason::kMaxTokens);
  EXPECT_EQ(result.prompt_tokens, 3);
  EXPECT_EQ(result.decode_steps, 11);
}

TEST_F(GeneratorTest, TheRequestAloneDecides) {
  request_.sampling = {.temperature = 1.0, .top_k = 40, .top_p = 0.95, .seed = 3};
  Generator used(*backend_, model_, config_, 64);
  GenerateRequest other = request_;
  other.sampling.seed = 4;
  const auto first = used.generate(request_, {}).value();
  const auto between = used.generate(other, {}).value();
  const auto again = used.generate(request_, {}).value();
  EXPECT_EQ(first.ids, again.ids);
  EXPECT_EQ(first.ids, run(request_).ids);
  EXPECT_NE(first.ids, between.ids);
}

TEST_F(GeneratorTest, StopsBeforeAStopToken) {
  const std::vector<std::int32_t> all = run(request_).ids;
  request_.stop_ids = {all[4]};
  const GenerateResult result = run(request_);
  EXPECT_EQ(result.reason, StopReason::kStopId);
  const auto end = std::find(all.begin(), all.end(), all[4]);
  EXPECT_EQ(result.ids, std::vector<std::int32_t>(all.begin(), end));
}

TEST_F(GeneratorTest, TheListenerCancels) {
  int calls = 0;
  const GenerateResult result = run(request_, [&](std::int32_t) { return ++calls < 3; });
  EXPECT_EQ(result.reason, StopReason::kCancelled);
  EXPECT_EQ(result.ids.size(), 3u);
}

TEST_F(GeneratorTest, EndsWhereTheContextIsFull) {
  const GenerateResult result = run(request_, {}, 5);
  EXPECT_EQ(result.reason, StopReason::kContextFull);
  EXPECT_EQ(result.ids.size(), 3u);
}

TEST_F(GeneratorTest, LongPromptsGoInPieces) {
  std::vector<std::int32_t> prompt;
  for (int i = 0; i < 700; ++i) {
    prompt.push_back(i * 37 % 101);
  }
  request_.prompt = prompt;
  request_.max_tokens = 1;
  EXPECT_EQ(run(request_, {}, 700).ids.front(), next_by_full_pass(prompt));
}

TEST_F(GeneratorTest, RefusesUnusableRequests) {
  Generator generator(*backend_, model_, config_, 4);
  const auto message = [&](const GenerateRequest& request) {
    const auto result = generator.generate(request, {});
    EXPECT_FALSE(result);
    return result ? "" : result.error().message;
  };
  EXPECT_NE(message({.prompt = {}}).find("no token"), std::string::npos);
  EXPECT_NE(message({.prompt = {3, 101}}).find("101"), std::string::npos);
  EXPECT_NE(message({.prompt = {1, 2, 3, 4, 5}}).find("context of 4"), std::string::npos);
  EXPECT_NE(message({.prompt = {1}, .sampling = {.top_p = 2.0}}).find("top_p"), std::string::npos);
}

TEST_F(GeneratorTest, LogitsThatAreNotFiniteAreAnError) {
  model_.parameters().front()->weight.ref().f32()[0] = std::numeric_limits<float>::infinity();
  Generator generator(*backend_, model_, config_, 16);
  const auto result = generator.generate(request_, {});
  ASSERT_FALSE(result);
  EXPECT_EQ(result.error().kind, ErrorKind::kData);
  EXPECT_NE(result.error().message.find("not finite"), std::string::npos);
}

TEST_F(GeneratorTest, LeavesNothingInTheLedger) {
  const std::int64_t before = backend_->ledger().live().live_bytes;
  run(request_);
  EXPECT_EQ(backend_->ledger().live().live_bytes, before);
}

}  // namespace
}  // namespace lathe
