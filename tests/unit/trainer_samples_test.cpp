// Training on packed samples: answers are learnt, samples do not see each other, the plan is exact,
// and a resumed run goes on to the same bits.
#include <gtest/gtest.h>
#include <unistd.h>

#include <cmath>
#include <filesystem>

#include "engine/train/trainer.h"
#include "tests/support/memory_samples.h"
#include "tests/support/memory_tokens.h"

namespace lathe {
namespace {

namespace fs = std::filesystem;

constexpr std::int64_t kVocabulary = 40;

TrainSpec sample_spec() {
  TrainSpec spec;
  spec.model = {
      .dim = 32, .layers = 2, .heads = 4, .kv_heads = 2, .ff_dim = 64, .vocab_size = kVocabulary};
  spec.data.kind = DataKind::kInstruct;
  spec.train = {.steps = 40,
                .batch_size = 2,
                .seq_len = 24,
                .grad_accum = 2,
                .eval_every = 10,
                .eval_batches = 50};
  spec.optim = {.lr = 1e-2, .warmup_steps = 4};
  return spec;
}

struct TestRun {
  std::unique_ptr<Backend> backend;
  std::unique_ptr<Trainer> trainer;
};

TestRun make_run(const TrainSpec& spec, const std::vector<test::IdSample>& samples) {
  TestRun run{std::move(*make_backend("cpu", 2)), nullptr};
  std::vector<std::string> warnings;
  auto trainer = make_trainer(
      *run.backend, spec, std::make_shared<test::MemorySamples>(samples, kVocabulary), warnings);
  EXPECT_TRUE(trainer.ok()) << (trainer.ok() ? "" : trainer.error().text());
  run.trainer = std::move(*trainer);
  return run;
}

std::vector<test::IdSample> forty() {
  return test::learnable_samples(kVocabulary, 9, kVocabulary);
}

TEST(SampleTraining, FortyStepsLowerTheLoss) {
  TestRun run = make_run(sample_spec(), forty());
  const double before = run.trainer->evaluate()->loss;
  for (int i = 0; i < 40; ++i) {
    ASSERT_TRUE(run.trainer->step().ok());
  }
  EXPECT_LT(run.trainer->evaluate()->loss, 0.5 * before);
}

TEST(SampleTraining, TheLossOfAStepIsTheMeanOverItsTargets) {
  TrainSpec spec = sample_spec();
  spec.optim.lr = 0;
  const StepReport step = *make_run(spec, forty()).trainer->step();
  EXPECT_NEAR(step.loss, std::log(kVocabulary), 0.3) << "an untrained model guesses";
}

TEST(SampleTraining, SamplesOfARowDoNotSeeEachOther) {
  const TrainSpec spec = sample_spec();
  const std::vector<test::IdSample> three{
      {{1, 2, 3, 4, 5, 6}, 3}, {{9, 8, 7}, 1}, {{4, 4, 2, 1}, 2}};
  TrainSpec one_row = spec;
  one_row.train.batch_size = 1;
  const EvalReport together = *make_run(one_row, three).trainer->evaluate();
  double loss = 0;
  std::int64_t tokens = 0;
  for (const test::IdSample& sample : three) {
    const EvalReport alone = *make_run(one_row, {sample}).trainer->evaluate();
    loss += alone.loss * static_cast<double>(alone.tokens);
    tokens += alone.tokens;
  }
  EXPECT_EQ(together.tokens, tokens);
  EXPECT_NEAR(together.loss, loss / static_cast<double>(tokens), 1e-6);
}

TEST(SampleTraining, ThePlannedPeakIsTheRealOneToTheByte) {
  for (const std::int64_t window : {0, 8}) {
    TrainSpec spec = sample_spec();
    spec.model.window = window;
    const auto plan = plan_step(spec, {.parallelism = 2});
    ASSERT_TRUE(plan.ok());
    TestRun run = make_run(spec, forty());
    StepReport step = *run.trainer->step();
    step = *run.trainer->step();
    EXPECT_EQ(plan->peak.live_bytes, step.peak.live_bytes) << "window " << window;
    EXPECT_EQ(plan->peak.by_category, step.peak.by_category);
  }
}

TEST(SampleTraining, AResumedRunGoesOnToTheSameBits) {
  const fs::path folder =
      fs::path(testing::TempDir()) / ("lathe_samples_" + std::to_string(getpid()));
  fs::create_directories(folder);
  const std::string checkpoint = (folder / "step").string();
  TestRun straight = make_run(sample_spec(), forty());
  for (int i = 0; i < 14; ++i) {
    ASSERT_TRUE(straight.trainer->step().ok());
    if (i == 8) {
      ASSERT_TRUE(straight.trainer->save(checkpoint).ok());
    }
  }
  TestRun resumed = make_run(sample_spec(), forty());
  ASSERT_TRUE(resumed.trainer->load(checkpoint).ok());
  for (int i = 9; i < 14; ++i) {
    ASSERT_TRUE(resumed.trainer->step().ok());
  }
  EXPECT_EQ(resumed.trainer->parameter_digest(), straight.trainer->parameter_digest());
  fs::remove_all(folder);
}

TEST(SampleTraining, ACorpusOfAnotherKindIsRefused) {
  const auto backend = std::move(*make_backend("cpu", 1));
  std::vector<std::string> warnings;
  const auto wrong =
      make_trainer(*backend, sample_spec(), test::learnable_tokens(kVocabulary, 500), warnings);
  ASSERT_FALSE(wrong.ok());
  EXPECT_EQ(wrong.error().kind, ErrorKind::kUsage);
}

}  // namespace
}  // namespace lathe
