// DKM in whole trainings: that plans hold, passes add up, runs go on to the same bits, palettes
// begin when they should, and what is refused.
#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <unistd.h>

#include <filesystem>
#include <set>

#include "engine/io/model_file.h"
#include "engine/nn/transformer.h"
#include "engine/train/model_plan.h"
#include "engine/train/trainer.h"
#include "tests/methods/tiny_run.h"

namespace lathe {
namespace {

namespace fs = std::filesystem;
using ::testing::HasSubstr;

using test::make_run;
using test::refusal;
using TestRun = test::TinyRun;

TrainSpec dkm_spec(const Json& params) {
  TrainSpec spec = test::tiny_spec();
  spec.method["dkm"] = test::params("dkm", params);
  return spec;
}

std::vector<float> values_of(Backend& backend, TensorRef tensor) {
  std::vector<float> values(static_cast<std::size_t>(tensor.elements()));
  backend.read(tensor, values.data(), tensor.bytes());
  return values;
}

TEST(DkmTraining, EachKindPeaksAsPlanned) {
  for (const Json& params :
       {Json{{"bits", 3}}, Json{{"clusters", 12}, {"rows", 16}, {"iterations", 3}},
        Json{{"bits", 4}, {"cluster_dim", 2}}, Json{{"bits", 2}, {"targets", {"down"}}},
        Json{{"bits", 4}, {"row_scale", "range"}},
        Json{{"bits", 3}, {"iterations", 2}, {"memory", "naive"}},
        Json{{"bits", 3}, {"rows", 16}, {"memory", "marshaled"}, {"learners", 3}}}) {
    for (const WeightStore store : {WeightStore::kF32, WeightStore::kBf16Master}) {
      TrainSpec spec = dkm_spec(params);
      spec.train.grad_accum = 2;
      spec.train.weights = store;
      const auto plan = plan_step(spec, {.parallelism = 2});
      ASSERT_TRUE(plan.ok()) << plan.error().text();
      TestRun run = make_run(spec);
      EXPECT_EQ(plan->stored_bytes, run.trainer->stored_bytes());
      for (int step = 0; step < 2; ++step) {
        const StepReport report = *run.trainer->step();
        EXPECT_EQ(plan->peak.live_bytes, report.peak.live_bytes) << params.dump();
        EXPECT_EQ(plan->peak.by_category, report.peak.by_category) << params.dump();
      }
    }
  }
}

// What a step keeps of its palettes is their centroids.
TEST(DkmTraining, BetweenForwardAndBackwardCentroidsAreKept) {
  const TrainSpec spec = dkm_spec({{"bits", 3}, {"iterations", 2}});
  TestRun run = make_run(spec);
  const auto quantizer = static_cast<std::size_t>(Category::kQuantizer);
  const std::int64_t standing = run.backend->ledger().live().by_category[quantizer];
  // Allocations are whole 64 bytes: 8 centroids, and one temperature.
  EXPECT_EQ(standing, 14 * (64 + 64));
  // Two iterations' centroids, and their sums.
  EXPECT_EQ(run.trainer->step()->peak.by_category[quantizer] - standing, 14 * (64 + 64));
}

TEST(DkmTraining, RecomputationChangesNothing) {
  std::vector<std::string> digests;
  for (const Recompute recompute : {Recompute::kNone, Recompute::kBlocks}) {
    TrainSpec spec = dkm_spec({{"bits", 2}});
    spec.train.recompute = recompute;
    TestRun run = make_run(spec);
    run.steps(3);
    digests.push_back(run.trainer->parameter_digest());
  }
  EXPECT_EQ(digests[0], digests[1]);
}

TEST(DkmTraining, FactorsHavePalettesOfTheirOwn) {
  TrainSpec spec = dkm_spec({{"bits", 3}});
  spec.method["low_rank"] = test::params("low_rank", {{"rank", 8}});
  TestRun run = make_run(spec);
  EXPECT_EQ(run.trainer->transformer().palettes().size(), 28u);
  const double before = run.trainer->evaluate()->loss;
  run.steps(20);
  EXPECT_LT(run.trainer->evaluate()->loss, 0.9 * before);
}

TEST(DkmTraining, EvaluationReadsHardWeightsAndTellsOfSoftOnes) {
  TestRun run = make_run(dkm_spec({{"bits", 2}, {"temperature", 2.0}}));
  run.steps(5);
  const EvalReport first = *run.trainer->evaluate();
  ASSERT_TRUE(first.soft_loss.has_value());
  EXPECT_NE(first.loss, *first.soft_loss);
  // Looking changes nothing.
  const EvalReport again = *run.trainer->evaluate();
  EXPECT_EQ(first.loss, again.loss);
  EXPECT_EQ(first.soft_loss, again.soft_loss);
  for (const auto& [weight, palette] : run.trainer->transformer().palettes()) {
    const Tensor hard = palette->weights(weight->weight);
    const auto values = values_of(*run.backend, hard);
    EXPECT_LE(std::set<float>(values.begin(), values.end()).size(), 4u) << palette->name();
  }
  EXPECT_FALSE(make_run(test::tiny_spec()).trainer->evaluate()->soft_loss.has_value());
}

TEST(DkmTraining, PalettesBeginAfterTheirStep) {
  TestRun plain = make_run(test::tiny_spec());
  TestRun later = make_run(dkm_spec({{"bits", 2}, {"begin_after", 3}}));
  plain.steps(3);
  later.steps(3);
  EXPECT_EQ(plain.trainer->parameter_digest(), later.trainer->parameter_digest());
  EXPECT_FALSE(later.trainer->evaluate()->soft_loss.has_value());
  plain.steps(1);
  later.steps(1);
  EXPECT_NE(plain.trainer->parameter_digest(), later.trainer->parameter_digest());
  EXPECT_TRUE(later.trainer->evaluate()->soft_loss.has_value());
}

// On both sides of where they begin.
TEST(DkmTraining, ACheckpointContinuesToTheSameBits) {
  const TrainSpec spec =
      dkm_spec({{"bits", 3}, {"begin_after", 2}, {"row_scale", "largest"}, {"iterations", 2}});
  const fs::path folder = fs::temp_directory_path() / ("lathe_dkm_" + std::to_string(getpid()));
  for (const int before : {1, 4}) {
    TestRun first = make_run(spec);
    first.steps(before);
    ASSERT_TRUE(first.trainer->save((folder / "one").string()).ok());
    TestRun second = make_run(spec);
    ASSERT_TRUE(second.trainer->load((folder / "one").string()).ok());
    EXPECT_EQ(first.trainer->evaluate()->loss, second.trainer->evaluate()->loss);
    first.steps(3);
    second.steps(3);
    EXPECT_EQ(first.trainer->parameter_digest(), second.trainer->parameter_digest());
    EXPECT_EQ(first.trainer->evaluate()->loss, second.trainer->evaluate()->loss);
  }
  fs::remove_all(folder);
}

// What is exported is what was measured: packed palettes of the very weights.
TEST(DkmTraining, ACheckpointOpensAsEvaluationReadsIt) {
  const fs::path folder =
      fs::temp_directory_path() / ("lathe_dkm_file_" + std::to_string(getpid()));
  const std::vector<std::pair<Json, StoredType>> kinds{
      {{{"bits", 3}, {"rows", 16}, {"row_scale", "largest"}}, palette_dtype(3, 1)},
      {{{"clusters", 11}, {"iterations", 2}}, palette_dtype(4, 1)},
      {{{"bits", 4}, {"cluster_dim", 2}}, palette_dtype(4, 2)},
      // 32 columns are no whole blocks of 64.
      {{{"bits", 4}, {"cluster_dim", 4}, {"targets", {"q"}}}, StoredType::kF32}};
  for (const auto& [params, type] : kinds) {
    const TrainSpec spec = dkm_spec(params);
    TestRun run = make_run(spec);
    run.steps(3);
    ASSERT_TRUE(run.trainer->save((folder / "one").string()).ok());
    std::vector<std::string> warnings;
    const auto slots = plan_slots(spec, warnings);
    EXPECT_EQ(warnings.size(), type == StoredType::kF32 ? 1u : 0u);
    const auto file = ModelFile::open_checkpoint(folder / "one", spec.model, *slots);
    ASSERT_TRUE(file.ok()) << file.error().text();
    EXPECT_FALSE(file->plans().front().palette.any());
    for (const auto& [weight, palette] : run.trainer->transformer().palettes()) {
      EXPECT_EQ(file->find(weight->name)->stored.type, type) << weight->name;
      const Tensor hard = palette->weights(weight->weight);
      EXPECT_EQ(file->floats(weight->name), values_of(*run.backend, hard)) << params.dump();
    }
  }
  fs::remove_all(folder);
}

TEST(DkmTraining, WhatCannotBePalettisedIsRefused) {
  EXPECT_THAT(refusal(dkm_spec({{"bits", 3}, {"rows", 7}})),
              HasSubstr("method.dkm.rows=7 does not divide the 32 rows of layers.0.attention.q"));
  EXPECT_THAT(refusal(dkm_spec({{"bits", 3}, {"cluster_dim", 3}})),
              HasSubstr("method.dkm.cluster_dim=3 does not divide the 32 columns"));
  EXPECT_THAT(refusal(dkm_spec({{"bits", 3}, {"clusters", 9}})),
              HasSubstr("method.dkm.clusters=9 is above 8"));
  EXPECT_THAT(refusal(dkm_spec({{"clusters", 1}})), HasSubstr("choose 2 to 256"));
  EXPECT_THAT(refusal(dkm_spec({{"bits", 3}, {"cluster_dim", 2}, {"row_scale", "range"}})),
              HasSubstr("do not go together"));
  EXPECT_THAT(refusal(dkm_spec({{"bits", 3}, {"cluster_dim", 2}, {"init", "normal"}})),
              HasSubstr("set method.dkm.init=kmeans"));
  EXPECT_THAT(refusal(dkm_spec({{"bits", 3}, {"cluster_dim", 2}, {"memory", "naive"}})),
              HasSubstr("keeps maps of single weights"));
  EXPECT_THAT(refusal(dkm_spec({{"bits", 3}, {"learners", 2}})), HasSubstr("nothing to share out"));
  EXPECT_THAT(refusal(dkm_spec({{"bits", 3}, {"rows", 2}, {"memory", "naive"}, {"learners", 3}})),
              HasSubstr("learners=3 is above the 2 rows"));
  EXPECT_THAT(refusal(dkm_spec({{"bits", 3}, {"targets", {"nose"}}})), HasSubstr("\"nose\""));
  const std::vector<std::pair<const char*, Json>> others{
      {"lora", {{"rank", 4}, {"targets", {"all"}}}},
      {"galore", {{"rank", 4}}},
      {"velora", {{"groups", 4}, {"targets", {"all"}}, {"state", "factored"}}}};
  for (const auto& [id, params] : others) {
    TrainSpec spec = dkm_spec({{"bits", 3}});
    spec.method[id] = test::params(id, params);
    EXPECT_THAT(refusal(spec), HasSubstr("method.dkm.targets has layers.0.attention.q")) << id;
  }
  TrainSpec recorded = dkm_spec({{"bits", 3}, {"memory", "uniquified"}});
  recorded.train.graph = true;
  EXPECT_THAT(refusal(recorded), HasSubstr("set train.graph=false"));
  // A palette of a factor divides it as well.
  TrainSpec factored = dkm_spec({{"bits", 3}, {"rows", 16}});
  factored.method["low_rank"] = test::params("low_rank", {{"rank", 8}});
  EXPECT_THAT(refusal(factored), HasSubstr("does not divide the 8 rows"));
  TrainSpec few = dkm_spec({{"bits", 8}, {"rows", 1}});
  TestRun run{std::move(*make_backend("cpu", 1)), nullptr};
  std::vector<std::string> warnings;
  const auto trainer =
      make_trainer(*run.backend, few, test::learnable_tokens(test::kTinyVocab, 2000), warnings);
  ASSERT_FALSE(trainer.ok());
  EXPECT_THAT(trainer.error().text(), HasSubstr("fewer than the 256 centroids"));
}

}  // namespace
}  // namespace lathe
