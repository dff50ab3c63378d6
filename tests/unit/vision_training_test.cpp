// Training a ViT: it learns, methods change its slots as others', the plan is exact, evaluation
// counts each held-out image once, a resumed run goes on to the same bits, and what does not fit is
// refused.
#include <gtest/gtest.h>
#include <unistd.h>

#include <filesystem>

#include "engine/train/trainer.h"
#include "tests/support/memory_images.h"
#include "tests/support/memory_tokens.h"

namespace lathe {
namespace {

namespace fs = std::filesystem;

TrainSpec vit_spec() {
  TrainSpec spec;
  spec.model = {.dim = 32,
                .layers = 2,
                .heads = 4,
                .norm = NormKind::kLayer,
                .mlp = MlpKind::kGelu,
                .bias = true,
                .positions = PositionKind::kLearned,
                .image = {.size = 12, .channels = 2, .patch_size = 4, .classes = 4}};
  spec.data.kind = DataKind::kImages;
  spec.train = {.steps = 40, .batch_size = 16, .eval_every = 10, .eval_batches = 100};
  spec.optim = {.lr = 3e-3, .warmup_steps = 4};
  return spec;
}

struct TestRun {
  std::unique_ptr<Backend> backend;
  std::unique_ptr<Trainer> trainer;
};

TestRun make_run(const TrainSpec& spec) {
  TestRun run{std::move(*make_backend("cpu", 2)), nullptr};
  std::vector<std::string> warnings;
  auto trainer = make_trainer(*run.backend, spec, test::learnable_images(12, 2), warnings);
  EXPECT_TRUE(trainer.ok()) << (trainer.ok() ? "" : trainer.error().text());
  run.trainer = std::move(*trainer);
  return run;
}

struct VisionCase {
  const char* name;
  ImagePool pool = ImagePool::kClassToken;
  Json method = Json::object();
  WeightStore weights = WeightStore::kF32;
  ActivationStore activations = ActivationStore::kF32;
};

class VisionTest : public testing::TestWithParam<VisionCase> {
 protected:
  static TrainSpec spec() {
    TrainSpec made = vit_spec();
    made.model.image.pool = GetParam().pool;
    made.method = GetParam().method;
    made.train.weights = GetParam().weights;
    made.train.activations = GetParam().activations;
    return made;
  }
};

TEST_P(VisionTest, LearnsWhichQuarterIsBright) {
  TestRun run = make_run(spec());
  StepReport last;
  for (int i = 0; i < 40; ++i) {
    const auto step = run.trainer->step();
    ASSERT_TRUE(step.ok());
    last = *step;
  }
  EXPECT_GE(last.accuracy, 0.9);
  const EvalReport after = *run.trainer->evaluate();
  EXPECT_GE(after.accuracy, 0.95);
  EXPECT_EQ(after.tokens, 50) << "each held-out image counts once, whatever the batch";
}

TEST_P(VisionTest, ThePlannedPeakIsTheRealOneToTheByte) {
  TrainSpec planned = spec();
  planned.model.vocab_size = 4;
  const auto plan = plan_step(planned, {.parallelism = 2});
  ASSERT_TRUE(plan.ok()) << plan.error().text();
  TestRun run = make_run(spec());
  StepReport step = *run.trainer->step();
  step = *run.trainer->step();
  EXPECT_EQ(plan->peak.live_bytes, step.peak.live_bytes);
  EXPECT_EQ(plan->peak.by_category, step.peak.by_category);
  EXPECT_EQ(plan->flops_per_step, step.flops);
  EXPECT_EQ(plan->parameters, run.trainer->parameter_count());
  EXPECT_EQ(plan->stored_bytes, run.trainer->stored_bytes());
}

INSTANTIATE_TEST_SUITE_P(
    Shapes, VisionTest,
    testing::Values(
        VisionCase{"class_token"}, VisionCase{.name = "mean", .pool = ImagePool::kMean},
        VisionCase{.name = "low_rank", .method = {{"low_rank", {{"rank", 6}}}}},
        VisionCase{.name = "adapters_and_the_rest",
                   .method = {{"lora", {{"rank", 4}, {"targets", {"all"}}, {"train_rest", true}}}}},
        VisionCase{.name = "bf16",
                   .weights = WeightStore::kBf16Master,
                   .activations = ActivationStore::kBf16}),
    [](const auto& row) { return row.param.name; });

TEST(Vision, AResumedRunGoesOnToTheSameBits) {
  const fs::path folder =
      fs::path(testing::TempDir()) / ("lathe_vision_" + std::to_string(getpid()));
  fs::create_directories(folder);
  const std::string checkpoint = (folder / "step").string();
  TestRun straight = make_run(vit_spec());
  for (int i = 0; i < 14; ++i) {  // beyond the end of the first epoch
    ASSERT_TRUE(straight.trainer->step().ok());
    if (i == 8) {
      ASSERT_TRUE(straight.trainer->save(checkpoint).ok());
    }
  }
  TestRun resumed = make_run(vit_spec());
  ASSERT_TRUE(resumed.trainer->load(checkpoint).ok());
  for (int i = 9; i < 14; ++i) {
    ASSERT_TRUE(resumed.trainer->step().ok());
  }
  EXPECT_EQ(resumed.trainer->parameter_digest(), straight.trainer->parameter_digest());
  fs::remove_all(folder);
}

// What make_trainer() says of a spec that is wrong.
std::string refusal(void (*change)(TrainSpec&), std::shared_ptr<const TokenSource> data) {
  TrainSpec spec = vit_spec();
  change(spec);
  const auto backend = std::move(*make_backend("cpu", 1));
  std::vector<std::string> warnings;
  const auto trainer = make_trainer(*backend, spec, std::move(data), warnings);
  return trainer.ok() ? "" : trainer.error().text();
}

TEST(Vision, WhatDoesNotFitIsRefusedWithTheReason) {
  const auto images = test::learnable_images(12, 2);
  const auto expect = [&](void (*change)(TrainSpec&), const char* what) {
    EXPECT_NE(refusal(change, images).find(what), std::string::npos)
        << refusal(change, images) << " should tell of " << what;
  };
  expect([](TrainSpec& spec) { spec.model.image.patch_size = 5; }, "does not divide");
  expect([](TrainSpec& spec) { spec.model.image.size = 28; }, "set model.image.size=12");
  expect([](TrainSpec& spec) { spec.model.image.channels = 3; }, "model.image.channels=2");
  expect([](TrainSpec& spec) { spec.model.image.classes = 3; }, "set model.image.classes=4");
  expect([](TrainSpec& spec) { spec.model.window = 3; }, "model.window=0");
  expect([](TrainSpec& spec) { spec.model.vocab_size = 300; }, "leave it at 0");
  expect([](TrainSpec& spec) { spec.data.kind = DataKind::kText; }, "set data.kind");
  expect([](TrainSpec& spec) { spec.model.image.size = 0; }, "makes a model of text");
  EXPECT_NE(refusal([](TrainSpec&) {}, test::learnable_tokens(40, 500)).find("running text"),
            std::string::npos);
}

}  // namespace
}  // namespace lathe
