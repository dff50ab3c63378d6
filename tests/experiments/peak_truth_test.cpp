// The planned peak of a model of 134 M parameters on 8,192 tokens, against what the ledger and the
// allocator saw of a step that was run: minutes, so that the default run leaves it out.
#include <gtest/gtest.h>

#include <iostream>

#include "tests/experiments/runner_fixture.h"

namespace lathe::experiments {
namespace {

constexpr double kTolerance = 0.05;

struct Case {
  const char* name;
  Recompute recompute;
  Json method;
};

class PeakTruth : public RunnerTest {
 protected:
  PeakTruth() {
    ports_.open_data = [](const TrainSpec&, const CorpusProgress&) {
      return Result<std::shared_ptr<const TokenSource>>(test::learnable_tokens(32'000, 20'000));
    };
    TrainSpec& train = request_.spec.train;
    train.model = {.dim = 768, .layers = 12, .heads = 12, .ff_dim = 2048};
    train.model.vocab_size = 32'000;
    train.model.tied = false;
    train.data.tokenizer = TokenizerKind::kBpe;
    train.data.vocab_size = 32'000;
    train.train = {
        .steps = 1, .batch_size = 32, .seq_len = 256, .eval_every = 0, .checkpoint_every = 0};
  }

  void expect_planned(const Case& one) {
    request_.spec.train.train.recompute = one.recompute;
    request_.spec.train.method = one.method;
    request_.spec = *run_spec_from_json(to_json(request_.spec));
    witness_.events.clear();
    const RunOutcome outcome = run_one(request_, ports_);
    ASSERT_EQ(outcome.state, RunState::kDone) << outcome.error->text();
    const auto planned = double(witness_.all<RunCreated>().at(0).predicted_peak_bytes);
    const MemorySample sample = witness_.all<MemorySample>().back();
    EXPECT_EQ(planned, double(sample.peak.live_bytes)) << one.name;
    EXPECT_NEAR(planned / double(sample.pool_bytes), 1, kTolerance) << one.name;
    std::cout << one.name << ": planned " << planned << ", ledger " << sample.peak.live_bytes
              << ", reserve " << sample.pool_bytes << ", process " << sample.process_bytes << '\n';
  }
};

TEST_F(PeakTruth, OfEightThousandTokensIsTheOnePlanned) {
  const Json velora{{"velora", {{"groups", 64}, {"targets", {"v", "down"}}}}};
  const Json lora{{"lora", {{"rank", 8}, {"targets", {"all"}}}}};
  for (const Case& one :
       {Case{"full", Recompute::kNone, Json::object()}, Case{"velora", Recompute::kNone, velora},
        Case{"checkpointing", Recompute::kBlocks, Json::object()},
        Case{"lora", Recompute::kCheap, lora}}) {
    expect_planned(one);
  }
}

}  // namespace
}  // namespace lathe::experiments
