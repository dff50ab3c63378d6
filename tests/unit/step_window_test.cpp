// Steps that are issued before the host waits: the same figures in the same order, and what happens
// where one of them is broken.
#include <gtest/gtest.h>
#include <unistd.h>

#include <filesystem>

#include "engine/train/trainer.h"
#include "tests/support/memory_tokens.h"

namespace lathe {
namespace {

TrainSpec window_spec(std::int64_t metrics_every) {
  TrainSpec spec;
  spec.model = {.dim = 32, .layers = 2, .heads = 4, .kv_heads = 2, .ff_dim = 64, .vocab_size = 40};
  spec.train = {.steps = 40, .batch_size = 4, .seq_len = 16, .grad_accum = 2, .eval_every = 10};
  spec.train.metrics_every = metrics_every;
  spec.optim = {.lr = 1e-2, .warmup_steps = 4};
  return spec;
}

struct Windowed {
  explicit Windowed(std::int64_t metrics_every) {
    std::vector<std::string> warnings;
    trainer = std::move(*make_trainer(*backend, window_spec(metrics_every),
                                      test::learnable_tokens(40, 2000), warnings));
  }
  std::unique_ptr<Backend> backend = std::move(*make_backend("cpu", 2));
  std::unique_ptr<Trainer> trainer;
  std::vector<StepReport> reports;
};

TEST(StepWindow, FiguresComeTogetherAndAreTheSame) {
  Windowed one(1);
  Windowed four(4);
  for (std::int64_t step = 1; step <= 10; ++step) {
    ASSERT_TRUE(one.trainer->advance(one.reports).ok());
    ASSERT_TRUE(four.trainer->advance(four.reports).ok());
    EXPECT_EQ(one.reports.size(), static_cast<std::size_t>(step));
    EXPECT_EQ(four.reports.size(), static_cast<std::size_t>(step / 4 * 4));
    EXPECT_EQ(four.trainer->steps_done(), step);
  }
  ASSERT_TRUE(four.trainer->wait(four.reports).ok());
  ASSERT_EQ(four.reports.size(), 10u);
  for (std::size_t i = 0; i < 10; ++i) {
    EXPECT_EQ(four.reports[i].step, one.reports[i].step);
    EXPECT_EQ(four.reports[i].loss, one.reports[i].loss);
    EXPECT_EQ(four.reports[i].accuracy, one.reports[i].accuracy);
    EXPECT_EQ(four.reports[i].grad_norm, one.reports[i].grad_norm);
    EXPECT_EQ(four.reports[i].lr, one.reports[i].lr);
    EXPECT_EQ(four.reports[i].tokens, one.reports[i].tokens);
    EXPECT_EQ(four.reports[i].flops, one.reports[i].flops);
    EXPECT_GT(four.reports[i].step_secs, 0.0);
  }
  EXPECT_EQ(four.trainer->parameter_digest(), one.trainer->parameter_digest());
  EXPECT_EQ(four.trainer->evaluate()->loss, one.trainer->evaluate()->loss);
}

// A rate that throws the weights out of all bounds breaks one of the next steps.
TEST(StepWindow, ABrokenStepIsNamedAndTheWeightsAreThoseBeforeIt) {
  Windowed one(1);
  Windowed eight(8);
  for (Windowed* run : {&one, &eight}) {
    ASSERT_TRUE(run->trainer->step().ok());
    run->trainer->set_live({.lr = 1e30, .weight_decay = 0, .clip_norm = 0});
  }
  std::string digest = one.trainer->parameter_digest();
  Result<void> done = one.trainer->advance(one.reports);
  while (done.ok() && one.reports.size() < 8) {
    digest = one.trainer->parameter_digest();
    done = one.trainer->advance(one.reports);
  }
  ASSERT_FALSE(done.ok());
  Result<void> in_window;
  for (int i = 0; i < 8 && in_window.ok(); ++i) {
    in_window = eight.trainer->advance(eight.reports);
  }
  ASSERT_FALSE(in_window.ok());
  EXPECT_EQ(in_window.error().kind, ErrorKind::kDiverged);
  EXPECT_EQ(in_window.error().message, done.error().message);
  EXPECT_EQ(eight.reports.size(), one.reports.size());
  EXPECT_EQ(eight.trainer->steps_done(), one.trainer->steps_done());
  EXPECT_EQ(eight.trainer->parameter_digest(), digest);
}

// Refusing steps ends with the report of the broken one.
TEST(StepWindow, ACheckpointGoesOnAfterABrokenStep) {
  const std::filesystem::path folder =
      std::filesystem::temp_directory_path() / ("lathe_window_" + std::to_string(getpid()));
  Windowed sound(1);
  Windowed broken(8);
  ASSERT_TRUE(sound.trainer->step().ok());
  ASSERT_TRUE(broken.trainer->step().ok());
  ASSERT_TRUE(broken.trainer->save(folder.string()).ok());
  broken.trainer->set_live({.lr = 1e30, .weight_decay = 0, .clip_norm = 0});
  Result<void> done;
  for (int i = 0; i < 8 && done.ok(); ++i) {
    done = broken.trainer->advance(broken.reports);
  }
  ASSERT_FALSE(done.ok());
  ASSERT_TRUE(broken.trainer->load(folder.string()).ok());
  std::filesystem::remove_all(folder);
  ASSERT_TRUE(sound.trainer->step().ok());
  ASSERT_TRUE(broken.trainer->step().ok());
  EXPECT_EQ(broken.trainer->parameter_digest(), sound.trainer->parameter_digest());
}

}  // namespace
}  // namespace lathe
