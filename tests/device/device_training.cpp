// Trainings in memory, side by side.
#include "tests/device/device_training.h"

#include <gtest/gtest.h>

#include <cmath>
#include <vector>

#include "engine/train/trainer.h"
#include "tests/support/memory_tokens.h"

namespace lathe::test {
namespace {

constexpr std::int64_t kVocabulary = 72;

std::unique_ptr<Trainer> trainer_on(Backend& backend, const TrainSpec& spec) {
  std::vector<std::string> warnings;
  auto trainer = make_trainer(backend, spec, learnable_tokens(kVocabulary, 2000), warnings);
  EXPECT_TRUE(trainer.ok()) << (trainer.ok() ? "" : trainer.error().text());
  return std::move(*trainer);
}

struct Training {
  std::vector<double> losses;
  double heldout = 0;
  std::string parameters;
};

Training train(Backend& backend, const TrainSpec& spec, std::int64_t steps) {
  Training result;
  const auto trainer = trainer_on(backend, spec);
  for (std::int64_t i = 0; i < steps; ++i) {
    const auto step = trainer->step();
    EXPECT_TRUE(step.ok()) << (step.ok() ? "" : step.error().text());
    result.losses.push_back(step.ok() ? step->loss : NAN);
  }
  const auto eval = trainer->evaluate();
  result.heldout = eval.ok() ? eval->loss : NAN;
  result.parameters = trainer->parameter_digest();
  return result;
}

}  // namespace

TrainSpec llama_like_spec() {
  TrainSpec spec;
  spec.model = {
      .dim = 48, .layers = 2, .heads = 4, .kv_heads = 2, .ff_dim = 80, .vocab_size = kVocabulary};
  spec.train = {.steps = 50, .batch_size = 3, .seq_len = 24, .eval_every = 10, .eval_batches = 1};
  spec.optim = {.lr = 1e-2, .warmup_steps = 4};
  return spec;
}

TrainSpec gpt2_like_spec() {
  TrainSpec spec = llama_like_spec();
  spec.model.norm = NormKind::kLayer;
  spec.model.positions = PositionKind::kLearned;
  spec.model.mlp = MlpKind::kGeluTanh;
  spec.model.bias = true;
  spec.model.context = spec.train.seq_len;
  return spec;
}

void expect_same_losses(Backend& device, const TrainSpec& spec, std::int64_t steps,
                        double relative) {
  const auto cpu = std::move(make_backend("cpu", 2)).value();
  const Training want = train(*cpu, spec, steps);
  const Training got = train(device, spec, steps);
  for (std::size_t i = 0; i < want.losses.size(); ++i) {
    EXPECT_NEAR(got.losses[i], want.losses[i], relative * want.losses[i]) << "step " << i + 1;
  }
  EXPECT_NEAR(got.heldout, want.heldout, relative * want.heldout);
  EXPECT_LT(got.losses.back(), got.losses.front());
}

void expect_repeatable(Backend& device, const TrainSpec& spec, std::int64_t steps) {
  const Training first = train(device, spec, steps);
  const Training second = train(device, spec, steps);
  EXPECT_EQ(first.losses, second.losses);
  EXPECT_EQ(first.parameters, second.parameters);
}

void expect_planned_peak(Backend& device, const TrainSpec& spec) {
  const auto plan = plan_step(spec, device.machine());
  ASSERT_TRUE(plan.ok()) << plan.error().text();
  const auto trainer = trainer_on(device, spec);
  ASSERT_TRUE(trainer->step().ok());
  const auto step = trainer->step();
  ASSERT_TRUE(step.ok());
  EXPECT_EQ(plan->peak.live_bytes, step->peak.live_bytes);
  EXPECT_EQ(plan->peak.by_category, step->peak.by_category);
  EXPECT_EQ(plan->flops_per_step, step->flops);
}

void expect_recovery_from_lack_of_memory(Backend& device, const TrainSpec& spec) {
  const auto trainer = trainer_on(device, spec);
  const std::int64_t live = device.ledger().live().live_bytes;
  device.allocator().set_limit_bytes(live + 4096);
  EXPECT_THROW(static_cast<void>(trainer->step()), OutOfMemory);
  device.allocator().set_limit_bytes(0);
  EXPECT_TRUE(trainer->step().ok());
}

}  // namespace lathe::test
