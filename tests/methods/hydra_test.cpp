// Hydra: the start changes nothing, gradients, what stands for inputs and for what slots make,
// counts, what is kept, the one matrix that both pairs become, what is refused.
#include "engine/methods/hydra/hydra.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "engine/train/model_plan.h"
#include "tests/methods/beside_slot.h"
#include "tests/methods/merged_loss.h"
#include "tests/methods/planned_peaks.h"

namespace lathe {
namespace {

using ::testing::HasSubstr;

using test::kSlotIn;
using test::kSlotOut;
using test::params;
using test::SlotRun;
using test::Values;

LinearPlan slot(std::int64_t rank, SubtokenPlan subtokens = {}) {
  return {.name = "layers.0.mlp.up",
          .in = kSlotIn,
          .out = kSlotOut,
          .init_std = 0.3,
          .bias = true,
          .adapter = {.rank = rank, .output_rank = rank > 0 ? 3 : 0, .scale = 1.5},
          .subtokens = subtokens};
}

TrainSpec spec_of(const Json& given) {
  TrainSpec spec = test::tiny_spec();
  spec.method["hydra"] = params("hydra", given);
  return spec;
}

TEST(Hydra, TheStartLeavesWhatTheSlotMakes) {
  SlotRun plain(slot(0));
  SlotRun both(slot(2));
  const Values x = test::random_rows(kSlotIn, 1);
  const Values dy = test::random_rows(kSlotOut, 2);
  EXPECT_EQ(both.pass(x, dy).y, plain.pass(x, dy).y);
  EXPECT_EQ(both.pass(x, dy).dx, plain.pass(x, dy).dx);
}

TEST(Hydra, GradientsAreThoseOfFiniteDifferences) {
  for (const std::string backend : {"cpu_ref", "cpu"}) {
    SlotRun run(slot(2), backend);
    test::draw_trained(run);
    test::expect_finite_differences(run);
  }
}

// The gradients of A and A2 are the exact ones projected; all others are exact.
TEST(Hydra, WithVeloraBothDownMatricesAreMadeOfProjections) {
  SlotRun exact(slot(2));
  SlotRun cut(slot(2, {.groups = 8, .output_groups = 10, .scale = 1.5}));
  test::draw_trained(exact);
  test::draw_trained(cut);
  const Values x = test::random_rows(kSlotIn, 1);
  const Values dy = test::random_rows(kSlotOut, 2);
  const auto want = exact.pass(x, dy);
  const auto got = cut.pass(x, dy);
  EXPECT_EQ(got.y, want.y);
  EXPECT_EQ(got.dx, want.dx);
  ASSERT_EQ(got.directions.size(), 2u);
  EXPECT_EQ(got.directions[0].size(), 3u);
  EXPECT_EQ(got.directions[1].size(), 4u);
  int projected = 0;
  for (std::size_t p = 0; p < got.gradients.size(); ++p) {
    const std::string& name = cut.parameters()[p]->name;
    if (!name.ends_with("lora_a")) {
      EXPECT_EQ(got.gradients[p], want.gradients[p]) << name;
      continue;
    }
    const bool output = name.find(".output.") != std::string::npos;
    const Values expected = test::along(want.gradients[p], got.directions[output ? 1 : 0]);
    EXPECT_LT(test::relative_distance(got.gradients[p], expected, 1.5), 1e-5) << name;
    ++projected;
  }
  EXPECT_EQ(projected, 2);
}

TEST(Hydra, TrainsTwoPairsForEachSlot) {
  const TrainSpec spec = spec_of({{"rank", 4}, {"sequential_rank", 3}, {"targets", {"q", "k"}}});
  test::TinyRun run = test::make_run(spec);
  const StepReport step = *run.trainer->step();
  const std::int64_t elements = 2 * 2 * (4 * (32 + 32) + 3 * 64);
  EXPECT_EQ(step.live.by_category[static_cast<std::size_t>(Category::kAdapters)], 4 * elements);
  TrainSpec dense = spec;
  dense.method = Json::object();
  const auto plan = plan_step(spec, {.parallelism = 2});
  const auto without = plan_step(dense, {.parallelism = 2});
  EXPECT_EQ(plan->parameters - without->parameters, elements);
  const auto activations = static_cast<std::size_t>(Category::kActivations);
  // A x, A2 y0 and y0 itself, of two blocks and 64 positions.
  EXPECT_EQ(plan->peak.by_category[activations] - without->peak.by_category[activations],
            4 * 64 * 2 * 2 * (4 + 3 + 32));
}

TEST(Hydra, ThePlannedPeakIsTheRealOneHoweverActivationsAreKept) {
  TrainSpec whole = spec_of({{"rank", 4}, {"targets", {"all"}}});
  TrainSpec cut = whole;
  cut.method["velora"] =
      params("velora", {{"sub_token_size", 8}, {"targets", {"all"}}, {"state", "factored"}});
  test::expect_planned_peaks({whole, cut});
}

TEST(Hydra, ProbesTellOfBothPairs) {
  TrainSpec spec = spec_of({{"rank", 4}, {"targets", {"v"}}});
  spec.method["velora"] = params("velora", {{"groups", 4}, {"targets", {"v"}}});
  test::TinyRun run = test::make_run(spec);
  run.steps(2);
  const auto probes = run.trainer->probe();
  ASSERT_EQ(probes.size(), 4u);
  EXPECT_EQ(probes[1].slot, "layers.0.attention.v.output");
  for (const auto& probe : probes) {
    EXPECT_GT(probe.kept_energy, 0);
    EXPECT_LE(probe.kept_energy, 1);
    EXPECT_GT(probe.cosine, 0);
    EXPECT_LE(probe.cosine, 1 + 1e-6);
  }
}

TEST(Hydra, BlocksThatAreComputedAgainTrainToTheSameBits) {
  TrainSpec spec = spec_of({{"rank", 4}, {"targets", {"all"}}});
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

TEST(Hydra, BothPairsBecomeAPartOfTheWeights) {
  TrainSpec spec = spec_of({{"rank", 4}, {"targets", {"all"}}, {"scale", 2.0}});
  for (const bool factored : {false, true}) {
    for (const bool bias : {false, true}) {
      spec.model.bias = bias;
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

// Of adapters in other slots.
TEST(Hydra, RestartsLeaveItAlone) {
  SlotRun run(slot(2));
  test::draw_trained(run);
  const Values x = test::random_rows(kSlotIn, 1);
  const Values dy = test::random_rows(kSlotOut, 2);
  const Values before = run.pass(x, dy).y;
  run.linear().start_adapter(3, 100, 1);
  EXPECT_EQ(run.pass(x, dy).y, before);
}

TEST(Hydra, WhatCannotBeIsRefused) {
  EXPECT_THAT(test::refusal(spec_of({{"rank", 4}, {"targets", {"query"}}})),
              HasSubstr("method.hydra.targets has \"query\""));
  EXPECT_THAT(test::refusal(spec_of({{"rank", 33}})), HasSubstr("method.hydra.rank=33"));
  EXPECT_THAT(test::refusal(spec_of({{"rank", 4}, {"sequential_rank", 40}})),
              HasSubstr("method.hydra.sequential_rank=40"));
  TrainSpec both = spec_of({{"rank", 4}});
  both.method["lora"] = params("lora", {{"rank", 4}});
  EXPECT_THAT(test::refusal(both), HasSubstr("method.lora and method.hydra both"));
  TrainSpec parts = spec_of({{"rank", 4}});
  parts.train.parts = TrainedParts::kFactors;
  EXPECT_THAT(test::refusal(parts), HasSubstr("method.hydra.rank=0"));
  TrainSpec cut = spec_of({{"rank", 4}, {"targets", {"up"}}});
  cut.model.ff_dim = 60;
  cut.method["velora"] = params("velora", {{"groups", 8}, {"targets", {"up"}}});
  EXPECT_THAT(test::refusal(cut), HasSubstr("the 60 outputs of layers.0.mlp.up"));
}

}  // namespace
}  // namespace lathe
