// GaLore in whole trainings: when directions change, what is kept, what both modes share, that a
// run goes on to the same bits, and what is refused.
#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <unistd.h>

#include <algorithm>
#include <filesystem>

#include "engine/methods/galore/galore.h"
#include "engine/nn/transformer.h"
#include "engine/train/trainer.h"
#include "tests/methods/tiny_run.h"

namespace lathe {
namespace {

namespace fs = std::filesystem;
using ::testing::HasSubstr;

using test::make_run;
using test::refusal;
using TestRun = test::TinyRun;

Json normalised(std::string_view id, const Json& params) {
  std::vector<std::string> errors;
  const Json full = find_method(id)->normalise(params, "method", errors);
  EXPECT_TRUE(errors.empty());
  return full;
}

TrainSpec tiny_spec(const Json& params) {
  TrainSpec spec = test::tiny_spec();
  spec.method["galore"] = normalised("galore", params);
  return spec;
}

std::vector<std::vector<float>> directions(const TestRun& run) {
  std::vector<std::vector<float>> all;
  for (const GradientProjection* projection : run.trainer->transformer().projections()) {
    const TensorRef p = projection->basis();
    all.emplace_back(p.f32(), p.f32() + p.elements());
  }
  return all;
}

std::int64_t bytes(const LedgerSnapshot& at, Category category) {
  return at.by_category[static_cast<std::size_t>(category)];
}

TEST(GaloreTraining, DirectionsChangeAtEveryTthStepAlone) {
  for (const bool per_layer : {false, true}) {
    TestRun run = make_run(tiny_spec({{"rank", 4}, {"update_every", 3}, {"per_layer", per_layer}}));
    auto before = directions(run);
    ASSERT_EQ(before.size(), 14u);
    for (int step = 0; step < 8; ++step) {
      const StepReport report = *run.trainer->step();
      ASSERT_TRUE(run.trainer->evaluate().ok());
      const auto after = directions(run);
      for (std::size_t i = 0; i < after.size(); ++i) {
        EXPECT_EQ(after[i] != before[i], step % 3 == 0) << step;
      }
      EXPECT_EQ(report.kept_energy.has_value(), step % 3 == 0);
      if (report.kept_energy) {
        EXPECT_GT(*report.kept_energy, 0.1);
        EXPECT_LT(*report.kept_energy, 1.0);
      }
      before = after;
    }
  }
}

TEST(GaloreTraining, OfAllDirectionsAllEnergyIsKept) {
  TestRun run = make_run(tiny_spec({{"rank", 32}}));
  EXPECT_NEAR(run.trainer->step()->kept_energy.value(), 1.0, 1e-6);
}

// Of one pass a step both modes see the same gradients, and so choose the same directions.
TEST(GaloreTraining, BothModesTrainToTheSameBits) {
  std::vector<std::string> digests;
  for (const bool per_layer : {false, true}) {
    TrainSpec spec = tiny_spec({{"rank", 4}, {"update_every", 4}, {"per_layer", per_layer}});
    spec.optim.clip_norm = 0;
    TestRun run = make_run(spec);
    run.steps(10);
    digests.push_back(run.trainer->parameter_digest());
  }
  EXPECT_EQ(digests[0], digests[1]);
}

TEST(GaloreTraining, TheNormIsThatOfTheWholeGradientOrOfWhatIsProjected) {
  const auto norm = [](const TrainSpec& spec) { return make_run(spec).trainer->step()->grad_norm; };
  const double plain = norm(test::tiny_spec());
  EXPECT_DOUBLE_EQ(norm(tiny_spec({{"rank", 4}})), plain);
  const double projected = norm(tiny_spec({{"rank", 4}, {"per_layer", true}}));
  EXPECT_LT(projected, plain);
  EXPECT_GT(projected, 0.3 * plain);
  EXPECT_NEAR(norm(tiny_spec({{"rank", 32}, {"per_layer", true}})), plain, 1e-4 * plain);
}

TEST(GaloreTraining, StatesAreTwoNRAndKR) {
  constexpr std::int64_t kRank = 4;
  const TrainSpec spec = tiny_spec({{"rank", kRank}});
  TestRun run = make_run(spec);
  std::int64_t elements = 0;
  for (const Parameter* parameter : run.trainer->transformer().parameters()) {
    if (parameter->projection == nullptr) {
      elements += 2 * parameter->elements();
    } else {
      const auto [k, n] = std::minmax({parameter->shape[0], parameter->shape[1]});
      elements += 2 * n * kRank + k * kRank;
    }
  }
  EXPECT_EQ(bytes(run.trainer->step()->live, Category::kOptimizer), 4 * elements);
}

TEST(GaloreTraining, EachWayPeaksAsPlanned) {
  for (const Json& params :
       {Json{{"rank", 4}}, Json{{"rank", 4}, {"per_layer", true}},
        Json{{"rank", 8}, {"per_layer", true}, {"targets", {"q", "down"}}, {"layers", {"1"}}}}) {
    for (const bool projects_inputs : {false, true}) {
      TrainSpec spec = tiny_spec(params);
      spec.train.grad_accum = 2;
      spec.optim.state = MomentStore::k8Bit;
      if (projects_inputs) {
        spec.method["velora"] = normalised("velora", {{"groups", 4}});
      }
      const auto plan = plan_step(spec, {.parallelism = 2});
      ASSERT_TRUE(plan.ok()) << plan.error().text();
      TestRun run = make_run(spec);
      for (int step = 0; step < 2; ++step) {
        const StepReport report = *run.trainer->step();
        EXPECT_EQ(plan->peak.live_bytes, report.peak.live_bytes) << params.dump();
        EXPECT_EQ(plan->peak.by_category, report.peak.by_category) << params.dump();
      }
    }
  }
}

// Per layer what is kept of each slot is R, and of one at a time all.
TEST(GaloreTraining, PerLayerKeepsNoWholeGradients) {
  constexpr std::int64_t kRank = 4;
  for (const bool per_layer : {false, true}) {
    TrainSpec spec = tiny_spec({{"rank", kRank}, {"per_layer", per_layer}});
    spec.train.grad_accum = 4;
    TestRun run = make_run(spec);
    Ledger& ledger = run.backend->ledger();
    ledger.start_time_line();
    run.steps(1);
    ledger.stop_time_line();
    std::int64_t live = 0, most = 0;
    for (const LedgerEvent& event : ledger.time_line()) {
      live += event.category == Category::kGradients ? event.bytes : 0;
      most = std::max(most, live);
    }
    std::int64_t kept = 0, largest = 0;
    for (const Parameter* parameter : run.trainer->transformer().parameters()) {
      const bool projected = per_layer && parameter->projection != nullptr;
      kept +=
          4 * (projected ? parameter->projection->projected_shape() : parameter->shape).elements();
      largest = std::max(largest, projected ? 4 * parameter->elements() : 0);
    }
    EXPECT_GE(most, kept);
    EXPECT_LE(most, kept + largest);
  }
}

TEST(GaloreTraining, GoesOnFromACheckpointToTheSameBits) {
  const fs::path folder =
      fs::temp_directory_path() / ("lathe_galore_" + std::to_string(::getpid()));
  for (const Json& params : {Json{{"rank", 4}, {"update_every", 3}},
                             Json{{"rank", 4}, {"update_every", 3}, {"per_layer", true}}}) {
    TrainSpec spec = tiny_spec(params);
    spec.train.grad_accum = 2;
    spec.optim.state = MomentStore::k8Bit;
    TestRun whole = make_run(spec);
    for (int step = 1; step <= 8; ++step) {
      whole.steps(1);
      if (step == 2 || step == 3 || step == 4) {
        ASSERT_TRUE(whole.trainer->save((folder / std::to_string(step)).string()).ok());
      }
    }
    for (const int from : {2, 3, 4}) {
      TestRun rest = make_run(spec);
      ASSERT_TRUE(rest.trainer->load((folder / std::to_string(from)).string()).ok());
      rest.steps(8 - from);
      EXPECT_EQ(rest.trainer->parameter_digest(), whole.trainer->parameter_digest()) << from;
    }
    fs::remove_all(folder);
  }
}

TEST(GaloreTraining, StepsIssuedTogetherAreThoseIssuedSingly) {
  TrainSpec spec = tiny_spec({{"rank", 4}, {"update_every", 3}});
  TestRun single = make_run(spec);
  single.steps(8);
  spec.train.metrics_every = 4;
  TestRun issued = make_run(spec);
  std::vector<StepReport> reports;
  for (int step = 0; step < 8; ++step) {
    ASSERT_TRUE(issued.trainer->advance(reports).ok());
  }
  ASSERT_TRUE(issued.trainer->wait(reports).ok());
  EXPECT_EQ(reports.size(), 8u);
  EXPECT_TRUE(reports[3].kept_energy.has_value());
  EXPECT_FALSE(reports[4].kept_energy.has_value());
  EXPECT_EQ(issued.trainer->parameter_digest(), single.trainer->parameter_digest());
}

TEST(GaloreTraining, KnobsAreThoseOfTheWeight) {
  TestRun run = make_run(tiny_spec({{"rank", 4}}));
  run.steps(2);
  run.trainer->set_live({.lr = 0, .weight_decay = 0.1, .clip_norm = 1});
  const std::string before = run.trainer->parameter_digest();
  run.steps(2);
  EXPECT_EQ(run.trainer->parameter_digest(), before) << "no rate, no step";
  run.trainer->set_live({.lr = 1e-2, .weight_decay = 0.1, .clip_norm = 1});
  run.steps(1);
  EXPECT_NE(run.trainer->parameter_digest(), before);
}

TEST(GaloreSpecs, WhatCannotBeIsRefused) {
  EXPECT_THAT(refusal(tiny_spec({{"rank", 33}})),
              AllOf(HasSubstr("rank=33 is above 32"), HasSubstr("layers.0.attention.q"),
                    HasSubstr("choose 1 to 32")));
  EXPECT_THAT(refusal(tiny_spec({{"rank", 4}, {"targets", {"query"}}})), HasSubstr("\"query\""));
  EXPECT_THAT(refusal(tiny_spec({{"rank", 4}, {"targets", Json::array()}})),
              HasSubstr("names no slot"));
  EXPECT_THAT(refusal(tiny_spec({{"rank", 4}, {"layers", {"0-2"}}})), HasSubstr("0 to 1"));
  TrainSpec plain = tiny_spec({{"rank", 4}, {"targets", {"gate"}}});
  plain.model.mlp = MlpKind::kGelu;
  EXPECT_THAT(refusal(plain), HasSubstr("without a gate"));
  std::vector<std::string> errors;
  galore_method().normalise({{"update_every", 0}}, "method.galore", errors);
  ASSERT_EQ(errors.size(), 1u);
  EXPECT_THAT(errors[0], HasSubstr("update_every"));
}

TEST(GaloreSpecs, SlotsWithoutAGradientOfTheirOwnAreNamed) {
  const auto beside = [](std::string_view id, const Json& params) {
    TrainSpec spec = tiny_spec({{"rank", 4}});
    spec.method[std::string(id)] = normalised(id, params);
    return refusal(spec);
  };
  EXPECT_THAT(beside("lora", {{"rank", 2}, {"targets", {"q"}}}),
              AllOf(HasSubstr("layers.0.attention.q"), HasSubstr("has an adapter")));
  EXPECT_THAT(beside("lora", {{"rank", 2}, {"targets", {"v"}}}),
              AllOf(HasSubstr("layers.0.attention.q"), HasSubstr("is frozen")));
  EXPECT_THAT(beside("low_rank", {{"rank", 6}}), HasSubstr("is two factors"));
  EXPECT_THAT(beside("velora", {{"groups", 4}, {"state", "factored"}}),
              AllOf(HasSubstr("layers.0.attention.v"), HasSubstr("velora.state=full")));
  TrainSpec rounded = tiny_spec({{"rank", 4}});
  rounded.train.weights = WeightStore::kBf16Master;
  EXPECT_THAT(refusal(rounded), HasSubstr("train.weights=f32"));
}

}  // namespace
}  // namespace lathe
