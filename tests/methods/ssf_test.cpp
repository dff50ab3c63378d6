// SSF: the start changes nothing, gradients, what stands for what slots make, counts, what is kept
// and trained, the one matrix that it becomes, what is refused.
#include "engine/methods/ssf/ssf.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "engine/train/model_plan.h"
#include "tests/methods/beside_slot.h"
#include "tests/methods/merged_loss.h"
#include "tests/methods/planned_peaks.h"
#include "tests/support/memory_images.h"

namespace lathe {
namespace {

using ::testing::HasSubstr;

using test::kSlotIn;
using test::kSlotOut;
using test::params;
using test::SlotRun;
using test::Values;

LinearPlan slot(bool beside, SubtokenPlan subtokens = {}) {
  return {.name = "layers.0.mlp.up",
          .in = kSlotIn,
          .out = kSlotOut,
          .init_std = 0.3,
          .bias = true,
          .adapter = {.scale_shift = beside},
          .subtokens = subtokens};
}

TrainSpec spec_of(const Json& given) {
  TrainSpec spec = test::tiny_spec();
  spec.method["ssf"] = params("ssf", given);
  return spec;
}

TEST(Ssf, TheStartLeavesWhatTheSlotMakes) {
  SlotRun plain(slot(false));
  SlotRun scaled(slot(true));
  const Values x = test::random_rows(kSlotIn, 1);
  const Values dy = test::random_rows(kSlotOut, 2);
  EXPECT_EQ(scaled.pass(x, dy).y, plain.pass(x, dy).y);
  EXPECT_EQ(scaled.pass(x, dy).dx, plain.pass(x, dy).dx);
  EXPECT_FALSE(scaled.linear().needs_input());
}

TEST(Ssf, GradientsAreThoseOfFiniteDifferences) {
  for (const std::string backend : {"cpu_ref", "cpu"}) {
    SlotRun run(slot(true), backend);
    test::draw_trained(run);
    test::expect_finite_differences(run);
  }
}

TEST(Ssf, WithVeloraGammasGradientIsThatOfWhatIsRebuilt) {
  SlotRun exact(slot(true));
  SlotRun cut(slot(true, {.groups = 8, .scale = 1.5}));
  test::draw_trained(exact);
  test::draw_trained(cut);
  const Values x = test::random_rows(kSlotIn, 1);
  const Values dy = test::random_rows(kSlotOut, 2);
  const auto want = exact.pass(x, dy);
  const auto got = cut.pass(x, dy);
  EXPECT_EQ(got.y, want.y);
  EXPECT_EQ(got.dx, want.dx);
  EXPECT_EQ(got.gradients[3], want.gradients[3]) << "beta's";
  ASSERT_EQ(got.directions.size(), 1u);
  ASSERT_EQ(got.directions[0].size(), 5u);
  const Values made = test::along(SlotRun(slot(false)).pass(x, dy).y, got.directions[0]);
  Values gamma(static_cast<std::size_t>(kSlotOut));
  for (std::size_t i = 0; i < made.size(); ++i) {
    gamma[i % gamma.size()] += 1.5f * dy[i] * made[i];
  }
  EXPECT_LT(test::relative_distance(got.gradients[2], gamma), 1e-5);
  EXPECT_GT(test::relative_distance(got.gradients[2], want.gradients[2]), 0.1);
}

TEST(Ssf, WithANumberForEachNothingIsLost) {
  SlotRun exact(slot(true));
  SlotRun cut(slot(true, {.groups = kSlotOut}));
  const Values x = test::random_rows(kSlotIn, 1);
  const Values dy = test::random_rows(kSlotOut, 2);
  EXPECT_LT(test::relative_distance(cut.pass(x, dy).gradients[2], exact.pass(x, dy).gradients[2]),
            1e-6);
}

TEST(Ssf, TrainsTwoNumbersForEachOutput) {
  const TrainSpec spec = spec_of({{"enabled", true}, {"targets", {"q", "k"}}});
  test::TinyRun run = test::make_run(spec);
  const StepReport step = *run.trainer->step();
  const std::int64_t elements = 2 * 2 * (32 + 32);  // q and k of two blocks
  const auto live = [&](Category category) {
    return step.live.by_category[static_cast<std::size_t>(category)];
  };
  EXPECT_EQ(live(Category::kAdapters), 4 * elements);
  EXPECT_EQ(live(Category::kOptimizer), 8 * elements);
  TrainSpec dense = spec;
  dense.method = Json::object();
  const auto plan = plan_step(spec, {.parallelism = 2});
  const auto without = plan_step(dense, {.parallelism = 2});
  EXPECT_EQ(plan->parameters - without->parameters, elements);
  const auto activations = static_cast<std::size_t>(Category::kActivations);
  // y0 of q and k, 64 positions, two blocks.
  EXPECT_EQ(plan->peak.by_category[activations] - without->peak.by_category[activations],
            4 * 64 * 2 * (32 + 32));
}

TEST(Ssf, VeloraKeepsANumberForEachSubtoken) {
  TrainSpec whole = spec_of({{"enabled", true}, {"targets", {"q", "k", "v"}}});
  TrainSpec cut = whole;
  cut.method["velora"] = params("velora", {{"sub_token_size", 8}, {"targets", {"q", "k", "v"}}});
  const auto activations = [](const TrainSpec& spec) {
    const auto plan = plan_step(spec, {.parallelism = 2});
    EXPECT_TRUE(plan.ok()) << plan.error().text();
    return plan->peak.by_category[static_cast<std::size_t>(Category::kActivations)];
  };
  const std::int64_t made = 4 * 64 * 2 * 3 * 32;
  EXPECT_EQ(activations(whole) - activations(cut), made - made / 8);
  test::expect_planned_peaks({whole, cut});
}

TEST(Ssf, BlocksThatAreComputedAgainTrainToTheSameBits) {
  TrainSpec spec = spec_of({{"enabled", true}});
  spec.method["velora"] = params("velora", {{"groups", 4}, {"targets", {"all"}}});
  std::vector<std::string> digests;
  for (const Recompute recompute : {Recompute::kCheap, Recompute::kBlocks}) {
    spec.train.recompute = recompute;
    test::TinyRun run = test::make_run(spec);
    run.steps(4);
    digests.push_back(run.trainer->parameter_digest());
  }
  EXPECT_EQ(digests[0], digests[1]);
}

// A model of text without biases gets them, and two factors stay two.
TEST(Ssf, BecomesAPartOfTheWeights) {
  TrainSpec spec = spec_of({{"enabled", true}});
  for (const bool factored : {false, true}) {
    for (const bool bias : {false, true}) {
      spec.model.bias = bias;
      spec.model.norm = bias ? NormKind::kLayer : NormKind::kRms;
      spec.method["low_rank"] = params("low_rank", {{"rank", factored ? 6 : 0}});
      test::TinyRun run = test::make_run(spec);
      const double before = run.trainer->evaluate()->loss;
      run.steps(5);
      const double after = run.trainer->evaluate()->loss;
      EXPECT_GT(std::abs(before - after), 1e-3);
      EXPECT_NEAR(test::merged_loss(spec, run), after, 1e-5);
    }
  }
}

TEST(Ssf, OfAModelOfImagesTheHeadIsTrainedToo) {
  TrainSpec spec = spec_of({{"enabled", true}});
  spec.model = {.dim = 32,
                .layers = 2,
                .heads = 4,
                .norm = NormKind::kLayer,
                .mlp = MlpKind::kGelu,
                .bias = true,
                .positions = PositionKind::kLearned,
                .image = {.size = 12, .channels = 2, .patch_size = 4, .classes = 4}};
  spec.data.kind = DataKind::kImages;
  const auto backend = std::move(*make_backend("cpu", 2));
  std::vector<std::string> warnings;
  const auto trainer = make_trainer(*backend, spec, test::learnable_images(12, 2), warnings);
  ASSERT_TRUE(trainer.ok()) << trainer.error().text();
  for (const Parameter* parameter : (*trainer)->transformer().parameters()) {
    const bool beside = parameter->role == ParameterRole::kAdapter;
    const bool head = parameter->layer == "head";
    EXPECT_EQ(parameter->frozen, !beside && !head) << parameter->name;
  }
  EXPECT_TRUE((*trainer)->step().ok());
  // A plan knows the images' extents as the run does.
  spec.method["velora"] = params("velora", {{"groups", 4}, {"targets", {"all"}}});
  spec.model.vocab_size = 4;
  const auto plan = plan_step(spec, {.parallelism = 2});
  ASSERT_TRUE(plan.ok()) << plan.error().text();
  EXPECT_GT(plan->paper_input_bytes, 0);
}

// Of adapters in other slots.
TEST(Ssf, RestartsLeaveItAlone) {
  SlotRun run(slot(true));
  test::draw_trained(run);
  const Values x = test::random_rows(kSlotIn, 1);
  const Values dy = test::random_rows(kSlotOut, 2);
  const Values before = run.pass(x, dy).y;
  run.linear().start_adapter(3, 100, 1);
  EXPECT_EQ(run.pass(x, dy).y, before);
}

TEST(Ssf, WhatCannotBeIsRefused) {
  EXPECT_THAT(test::refusal(spec_of({{"enabled", true}, {"targets", {"query"}}})),
              HasSubstr("method.ssf.targets has \"query\""));
  EXPECT_THAT(test::refusal(spec_of({{"enabled", true}, {"targets", Json::array()}})),
              HasSubstr("enabled=false"));
  TrainSpec both = spec_of({{"enabled", true}});
  both.method["lora"] = params("lora", {{"rank", 4}});
  EXPECT_THAT(test::refusal(both), HasSubstr("method.ssf and method.lora both"));
  TrainSpec parts = spec_of({{"enabled", true}});
  parts.train.parts = TrainedParts::kFactors;
  EXPECT_THAT(test::refusal(parts), HasSubstr("method.ssf.enabled=false"));
  TrainSpec cut = spec_of({{"enabled", true}});
  cut.method["velora"] = params("velora", {{"groups", 4}, {"state", "factored"}});
  EXPECT_THAT(test::refusal(cut), HasSubstr("set method.velora.state=full"));
  cut.method["velora"] = params("velora", {{"groups", 4}});
  cut.train.probe_every = 5;
  EXPECT_THAT(test::refusal(cut), HasSubstr("set train.probe_every=0"));
  cut.method["velora"] = params("velora", {{"groups", 5}});
  EXPECT_THAT(test::refusal(cut), HasSubstr("the 32 outputs of layers.0.attention.v"));
}

}  // namespace
}  // namespace lathe
