// A whole training on the simulated device: all kernels of forward, backward and update together.
#include <gtest/gtest.h>

#include <array>

#include "engine/backend/simt/simt_backend.h"
#include "engine/train/trainer.h"
#include "tests/device/device_training.h"
#include "tests/support/memory_tokens.h"
#include "tests/support/rounded_update.h"

namespace lathe::test {
namespace {

TrainSpec restarted_spec() {
  TrainSpec spec = llama_like_spec();
  spec.method = {{"lora",
                  {{"rank", 4},
                   {"targets", {"all"}},
                   {"train_rest", true},
                   {"restart_every", 3},
                   {"restart_warmup", 2}}}};
  return spec;
}

class SimtTraining : public testing::Test {
 protected:
  SimtBackend device_{simt::Turns::kDescending};
};

TEST_F(SimtTraining, LearnsAsTheProcessorDoes) {
  expect_same_losses(device_, llama_like_spec(), 6, 1e-4);
  expect_same_losses(device_, gpt2_like_spec(), 6, 1e-4);
}

TEST_F(SimtTraining, ImagesAreLearntAsOnTheProcessor) {
  expect_same_losses(device_, vit_like_spec(), 5, 1e-4);
  expect_planned_peak(device_, vit_like_spec());
  TrainSpec spec = vit_like_spec();
  spec.model.image.pool = ImagePool::kMean;
  expect_same_losses(device_, spec, 3, 1e-4);
  SimtBackend rounding(simt::Turns::kAscending, ProductPrecision::kBf16);
  expect_same_losses(rounding, vit_like_spec(), 3, 1e-2);
}

TEST_F(SimtTraining, LowRankSlotsLearnAsTheProcessorDoes) {
  TrainSpec spec = llama_like_spec();
  spec.method = {{"low_rank", {{"rank", 8}}}};
  expect_same_losses(device_, spec, 6, 1e-4);
}

TEST_F(SimtTraining, AdaptersThatRestartLearnAsTheProcessorDoes) {
  const TrainSpec spec = restarted_spec();
  expect_same_losses(device_, spec, 5, 1e-4);
  expect_planned_peak(device_, spec);
  expect_repeatable(device_, spec, 4);
}

TEST_F(SimtTraining, AdaptersThatDropLearnAsTheProcessorDoes) {
  expect_same_losses(device_, dropping_spec(), 5, 1e-4);
  expect_planned_peak(device_, dropping_spec());
}

TEST_F(SimtTraining, ProjectionsLearnAsOnTheProcessor) {
  for (const Json& params : {Json{{"state", "factored"}}, Json{{"init", "svd"}},
                             Json{{"init", "ema"}, {"backward", "rebuilt"}}}) {
    TrainSpec spec = projecting_spec(params);
    expect_same_losses(device_, spec, 4, 1e-4);
    expect_planned_peak(device_, spec);
    expect_repeatable(device_, spec, 3);
    spec.train.recompute = Recompute::kBlocks;
    spec.train.activations = ActivationStore::kBf16;
    expect_same_losses(device_, spec, 3, 1e-3);
    expect_planned_peak(device_, spec);
  }
}

TEST_F(SimtTraining, ProjectedGradientsLearnAsOnTheProcessor) {
  for (const bool per_layer : {false, true}) {
    TrainSpec spec = galore_spec({{"per_layer", per_layer}});
    spec.train.grad_accum = 2;
    expect_same_losses(device_, spec, 5, 1e-4);
    expect_planned_peak(device_, spec);
    expect_repeatable(device_, spec, 4);
    expect_same_with_graph(device_, spec);
  }
}

// Few of them: a table of 65,536 numbers takes as many simulated threads.
TEST_F(SimtTraining, PalettesLearnAsOnTheProcessor) {
  for (const Json& params : {Json{{"row_scale", "largest"}}, Json{{"cluster_dim", 2}}}) {
    TrainSpec spec = palette_spec(params);
    spec.method["dkm"].update({{"targets", {"q"}}, {"layers", {"0"}}});
    expect_same_losses(device_, spec, 2, 1e-3);
    expect_repeatable(device_, spec, 2);
  }
}

TEST_F(SimtTraining, WhatIsBesideSlotsLearnsAsOnTheProcessor) {
  for (const Json& own :
       {Json{{"ssf", {{"enabled", true}, {"train_rest", true}}}},
        Json{{"hydra", {{"rank", 4}, {"targets", {"all"}}, {"train_rest", true}}}}}) {
    for (const bool projected : {false, true}) {
      Json method = own;
      if (projected) {
        method["velora"] = {{"groups", 4}, {"targets", {"all"}}};
      }
      const TrainSpec spec = beside_spec(method);
      expect_same_losses(device_, spec, 5, 1e-4);
      expect_planned_peak(device_, spec);
      expect_repeatable(device_, spec, 2);
    }
  }
}

TEST_F(SimtTraining, FactorsDrawnToATeacherLearnAsTheProcessorDoes) {
  const TrainSpec spec = distilled_spec();
  expect_same_losses(device_, spec, 5, 1e-4);
  expect_planned_peak(device_, spec);
}

TEST_F(SimtTraining, RoundedWeightsLearnAsTheProcessorDoes) {
  for (const WeightStore weights : {WeightStore::kBf16Master, WeightStore::kBf16Stochastic}) {
    TrainSpec spec = llama_like_spec();
    spec.train.weights = weights;
    expect_same_losses(device_, spec, 4, 1e-3);
    expect_planned_peak(device_, spec);
    expect_repeatable(device_, spec, 2);
  }
}

// Matrices of 4096 elements and more, in all ways that weights are kept, issued singly or whole.
TEST_F(SimtTraining, MomentsOfEightBitsLearnAsOnTheProcessor) {
  TrainSpec spec = llama_like_spec();
  spec.model.dim = 64;
  spec.model.ff_dim = 72;
  spec.optim.state = MomentStore::k8Bit;
  for (const WeightStore weights :
       {WeightStore::kF32, WeightStore::kBf16Master, WeightStore::kBf16Stochastic}) {
    spec.train.weights = weights;
    expect_same_losses(device_, spec, 4, 1e-3);
    expect_planned_peak(device_, spec);
    expect_repeatable(device_, spec, 2);
  }
  expect_same_with_graph(device_, spec);
}

TEST_F(SimtTraining, RoundedActivationsLearnAsOnTheProcessor) {
  for (TrainSpec spec : {llama_like_spec(), gpt2_like_spec()}) {
    spec.train.activations = ActivationStore::kBf16;
    expect_same_losses(device_, spec, 4, 1e-3);
    expect_planned_peak(device_, spec);
  }
}

TEST_F(SimtTraining, RoundingAtRandomGivesTheProcessorsBits) {
  const auto cpu = std::move(*make_backend("cpu", 2));
  for (const std::int64_t count : {5, 8192 * 2 + 7}) {
    EXPECT_EQ(rounded_at_random(device_, 5, 3, count), rounded_at_random(*cpu, 5, 3, count));
  }
}

// Tensor cores take bf16 weights as they lie.
TEST_F(SimtTraining, RoundedProductsOfRoundedWeightsLearnToo) {
  SimtBackend rounding(simt::Turns::kAscending, ProductPrecision::kBf16);
  TrainSpec spec = gpt2_like_spec();
  spec.train.weights = WeightStore::kBf16Master;
  expect_same_losses(rounding, spec, 4, 1e-2);
  spec.method = {{"low_rank", {{"rank", 8}}}};
  expect_same_losses(rounding, spec, 4, 1e-2);
}

TEST_F(SimtTraining, RepeatsItselfToTheBit) {
  expect_repeatable(device_, llama_like_spec(), 3);
}

TEST_F(SimtTraining, KeepsToThePlan) {
  expect_planned_peak(device_, llama_like_spec());
  expect_planned_peak(device_, gpt2_like_spec());
}

TEST_F(SimtTraining, GoesOnAfterLackOfMemory) {
  expect_recovery_from_lack_of_memory(device_, llama_like_spec());
}

TEST_F(SimtTraining, RecordedStepsAreThoseIssuedOpByOp) {
  expect_same_with_graph(device_, llama_like_spec());
  TrainSpec rounded = gpt2_like_spec();
  rounded.train.activations = ActivationStore::kBf16;
  expect_same_with_graph(device_, rounded);
}

// Weights, adapters and moments change between steps, where they lie; the teacher does not.
TEST_F(SimtTraining, RecordedStepsGoOnWithRestartsAndATeacher) {
  expect_same_with_graph(device_, restarted_spec());
  expect_same_with_graph(device_, distilled_spec());
}

// The step, which decides what is dropped, lies on the device then.
TEST_F(SimtTraining, RecordedStepsDropAnewEachTime) {
  expect_same_with_graph(device_, dropping_spec());
  expect_same_with_graph(device_, projecting_spec({{"init", "ema"}}));
  expect_same_with_graph(device_, projecting_spec({{"state", "factored"}}));
}

// A tensor that has come to stay may lie where the recorded ops would write.
TEST_F(SimtTraining, AStepIsRecordedAgainWhereItsMemoryIsTaken) {
  TrainSpec spec = llama_like_spec();
  std::array<std::string, 2> digests;
  for (const bool graph : {false, true}) {
    spec.train.graph = graph;
    std::vector<std::string> warnings;
    const auto data = learnable_tokens(spec.model.vocab_size, 2000);
    const auto trainer = std::move(*make_trainer(device_, spec, data, warnings));
    ASSERT_TRUE(trainer->step().ok());
    ASSERT_TRUE(trainer->step().ok());
    ASSERT_TRUE(trainer->step().ok());
    EXPECT_EQ(device_.recordings(), graph ? 1 : 0);
    const Tensor guest(device_.allocator(), DType::kF32, Shape{100}, {});
    ASSERT_TRUE(trainer->step().ok());
    ASSERT_TRUE(trainer->step().ok());
    EXPECT_EQ(device_.recordings(), graph ? 2 : 0);
    digests[graph ? 1 : 0] = trainer->parameter_digest();
  }
  EXPECT_EQ(digests[0], digests[1]);
}

TEST_F(SimtTraining, RecordedStepsTakeSamplesInAWindow) {
  expect_same_with_graph_of_samples(device_);
}

TEST_F(SimtTraining, RecordedStepsRefuseWhatIsNotFinite) {
  expect_graph_refuses_broken_steps(device_, llama_like_spec());
}

}  // namespace
}  // namespace lathe::test
