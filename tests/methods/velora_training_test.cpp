// VeLoRA in whole trainings: when directions move, what the optimizer makes of projected gradients,
// which bytes are kept, what is computed again to the same bits, and what is refused.
#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <unistd.h>

#include <cmath>
#include <filesystem>

#include "engine/methods/velora/velora.h"
#include "engine/nn/block.h"
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

Json normalised(const Json& params) {
  std::vector<std::string> errors;
  const Json full = velora_method().normalise(params, "method.velora", errors);
  EXPECT_TRUE(errors.empty());
  return full;
}

TrainSpec tiny_spec(const Json& params) {
  TrainSpec spec = test::tiny_spec();
  spec.train.steps = 60;
  spec.train.recompute = Recompute::kNone;
  spec.method["velora"] = normalised(params);
  return spec;
}

std::vector<float> directions(const TestRun& run) {
  std::vector<float> all;
  for (const Subtokens* subtokens : run.trainer->transformer().subtokens()) {
    const TensorRef v = subtokens->direction();
    all.insert(all.end(), v.f32(), v.f32() + v.elements());
  }
  return all;
}

std::vector<float> weight(const TestRun& run, const std::string& name) {
  for (const Parameter* parameter : run.trainer->transformer().parameters()) {
    if (parameter->name == name) {
      const TensorRef w = parameter->weight;
      return {w.f32(), w.f32() + w.elements()};
    }
  }
  ADD_FAILURE() << "no " << name;
  return {};
}

std::string warning(const TrainSpec& spec) {
  const auto plan = plan_step(spec, {.parallelism = 1});
  EXPECT_TRUE(plan.ok()) << (plan.ok() ? "" : plan.error().text());
  std::string all;
  for (const std::string& one : plan.ok() ? plan->warnings : std::vector<std::string>()) {
    all += one + "\n";
  }
  return all;
}

TEST(VeloraTraining, DirectionsAreDrawnOnceUnlessTheyFollow) {
  for (const bool blocks : {false, true}) {
    TrainSpec spec = tiny_spec({{"groups", 4}});
    spec.train.recompute = blocks ? Recompute::kBlocks : Recompute::kNone;
    TestRun once = make_run(spec);
    once.steps(1);
    const std::vector<float> first = directions(once);
    once.steps(20);
    ASSERT_TRUE(once.trainer->evaluate().ok());
    EXPECT_EQ(directions(once), first);
  }
  for (const char* init : {"every_batch", "ema"}) {
    TestRun moves = make_run(tiny_spec({{"groups", 4}, {"init", init}}));
    moves.steps(1);
    const std::vector<float> first = directions(moves);
    ASSERT_TRUE(moves.trainer->evaluate().ok());
    EXPECT_EQ(directions(moves), first) << "evaluation moves nothing";
    moves.steps(1);
    EXPECT_NE(directions(moves), first);
  }
}

// A running mean moves once a batch, also where forward runs twice.
TEST(VeloraTraining, WhatIsComputedAgainIsToTheSameBits) {
  for (const char* init : {"first_batch", "ema"}) {
    for (const ActivationStore store : {ActivationStore::kF32, ActivationStore::kBf16}) {
      std::vector<std::string> digests;
      for (const Recompute recompute : {Recompute::kCheap, Recompute::kBlocks, Recompute::kNone}) {
        TrainSpec spec = tiny_spec({{"groups", 4}, {"init", init}});
        spec.train.recompute = recompute;
        spec.train.activations = store;
        TestRun run = make_run(spec);
        run.steps(4);
        digests.push_back(run.trainer->parameter_digest());
      }
      EXPECT_EQ(digests[1], digests[0]);
      // What is kept in bf16 is rounded before it is used; inputs that are made again are not.
      EXPECT_EQ(digests[2] == digests[0], store == ActivationStore::kF32);
    }
  }
}

TEST(VeloraTraining, EachWayOfKeepingPeaksAsPlanned) {
  for (const Json& params : {Json{{"groups", 0}}, Json{{"groups", 4}},
                             Json{{"groups", 4}, {"backward", "rebuilt"}, {"init", "svd"}},
                             Json{{"groups", 8}, {"targets", {"all"}}, {"state", "factored"}}}) {
    for (const Recompute recompute : {Recompute::kNone, Recompute::kCheap, Recompute::kBlocks}) {
      TrainSpec spec = tiny_spec(params);
      spec.train.recompute = recompute;
      TestRun run = make_run(spec);
      const auto plan = plan_step(spec, {.parallelism = run.backend->parallelism()});
      ASSERT_TRUE(plan.ok());
      const auto step = run.trainer->step();
      ASSERT_TRUE(step.ok());
      EXPECT_EQ(plan->peak.live_bytes, step->peak.live_bytes) << params.dump();
      EXPECT_EQ(plan->peak.by_category, step->peak.by_category) << params.dump();
    }
  }
}

// Adam divides the scale out, and the state of one number a sub-token is that of all of them.
TEST(VeloraTraining, AdamSeesNoScaleAndNoDifferenceOfState) {
  std::vector<std::vector<float>> ends;
  for (const Json& params :
       {Json{{"groups", 4}}, Json{{"groups", 4}, {"scale", 0.1}},
        Json{{"groups", 4}, {"state", "factored"}}, Json{{"groups", 4}, {"backward", "rebuilt"}}}) {
    TrainSpec spec = tiny_spec(params);
    spec.optim.eps = 1e-16;
    spec.optim.clip_norm = 0;
    TestRun run = make_run(spec);
    run.steps(50);
    ends.push_back(weight(run, "layers.0.mlp.down.weight"));
  }
  for (std::size_t i = 1; i < ends.size(); ++i) {
    double far = 0;
    for (std::size_t k = 0; k < ends[0].size(); ++k) {
      far = std::max(far, double(std::abs(ends[i][k] - ends[0][k])));
    }
    EXPECT_LT(far, 2e-3) << i;  // of weights that moved by up to 50 lr = 0.5
  }
}

// With an eps that counts and gradients clipped the factored state is still the full one.
TEST(VeloraTraining, FactoredStateIsFullStateWhateverEps) {
  std::vector<double> losses;
  for (const char* state : {"full", "factored"}) {
    TrainSpec spec = tiny_spec({{"groups", 4}, {"state", state}});
    spec.optim.eps = 1e-3;
    spec.optim.clip_norm = 0.2;
    TestRun run = make_run(spec);
    run.steps(50);
    losses.push_back(run.trainer->evaluate()->loss);
  }
  EXPECT_NEAR(losses[0], losses[1], 1e-4);
}

TEST(VeloraTraining, WeightsMoveAlongTheSignsOfTheDirection) {
  constexpr std::size_t kSize = 16;  // 64 inputs of down in 4 groups
  TrainSpec spec = tiny_spec({{"groups", 4}});
  spec.optim.eps = 1e-16;
  spec.optim.weight_decay = 0;
  TestRun run = make_run(spec);
  const std::vector<float> before = weight(run, "layers.1.mlp.down.weight");
  run.steps(50);
  const std::vector<float> after = weight(run, "layers.1.mlp.down.weight");
  const TensorRef v = run.trainer->transformer().subtokens().back()->direction();
  ASSERT_EQ(v.elements(), std::int64_t{kSize});
  double moved = 0;
  for (std::size_t first = 0; first < after.size(); first += kSize) {
    const auto step = [&](std::size_t k) {
      return (after[first + k] - before[first + k]) * (v.f32()[k] < 0 ? -1.0f : 1.0f);
    };
    for (std::size_t k = 1; k < kSize; ++k) {
      ASSERT_NEAR(step(k), step(0), 2e-3f);
    }
    moved = std::max(moved, double(std::abs(step(0))));
  }
  EXPECT_GT(moved, 0.05);
}

TEST(VeloraTraining, ProbesTellOfEachSlotAndChangeNothing) {
  const TrainSpec spec = tiny_spec({{"groups", 4}, {"init", "ema"}});
  TestRun probed = make_run(spec);
  TestRun plain = make_run(spec);
  probed.steps(2);
  plain.steps(2);
  const std::vector<SubtokenProbe> probes = probed.trainer->probe();
  ASSERT_EQ(probes.size(), 4u);
  EXPECT_EQ(probes[3].slot, "layers.1.mlp.down");
  for (const SubtokenProbe& probe : probes) {
    EXPECT_GT(probe.kept_energy, 0.0);
    EXPECT_LT(probe.kept_energy, 1.0);
    EXPECT_GT(probe.cosine, 0.0);
    EXPECT_LT(probe.cosine, 1.0);
  }
  probed.steps(3);
  plain.steps(3);
  EXPECT_EQ(probed.trainer->parameter_digest(), plain.trainer->parameter_digest());
  TestRun whole = make_run(tiny_spec({{"groups", 1}, {"targets", {"v:32", "down:64"}}}));
  whole.steps(1);
  for (const SubtokenProbe& probe : whole.trainer->probe()) {
    EXPECT_NEAR(probe.kept_energy, 1.0, 1e-6) << probe.slot;
    EXPECT_NEAR(probe.cosine, 1.0, 1e-6) << probe.slot;
  }
}

TEST(VeloraTraining, GoesOnFromACheckpointToTheSameBits) {
  const fs::path folder =
      fs::temp_directory_path() / ("lathe_velora_" + std::to_string(::getpid()));
  for (const Json& params :
       {Json{{"groups", 4}, {"init", "ema"}}, Json{{"groups", 4}, {"state", "factored"}}}) {
    const TrainSpec spec = tiny_spec(params);
    TestRun whole = make_run(spec);
    whole.steps(5);
    ASSERT_TRUE(whole.trainer->save(folder.string()).ok());
    whole.steps(5);
    TestRun resumed = make_run(spec);
    ASSERT_TRUE(resumed.trainer->load(folder.string()).ok());
    resumed.steps(5);
    EXPECT_EQ(resumed.trainer->parameter_digest(), whole.trainer->parameter_digest());
    fs::remove_all(folder);
  }
}

// What a block keeps for backward, in bytes a token, of the paper's models in bf16.
std::int64_t kept_per_token(const ModelConfig& model, const Json& velora) {
  const auto backend = std::move(*make_backend("meta", 1));
  std::vector<LinearPlan> slots = dense_plan(model);
  std::vector<std::string> errors, warnings;
  velora_method().plan(normalised(velora), model, slots, errors, warnings);
  EXPECT_TRUE(errors.empty()) << errors.front();
  Block block(*backend, model, 0, slots.data());
  block.keep_activations(ActivationStore::kBf16, Recompute::kNone);
  constexpr std::int64_t kTokens = 256;
  const auto live = [&] {
    return backend->ledger().live().by_category[static_cast<std::size_t>(Category::kActivations)];
  };
  BlockSaved saved;
  Tensor x = activation(*backend, "t", "x", Shape{kTokens, model.dim});
  const Tensor out = block.forward(std::move(x), {1, kTokens}, &saved);
  return (live() - out.ref().bytes()) / kTokens;
}

const ModelConfig kC4_60M{.dim = 512, .layers = 8, .heads = 8, .ff_dim = 1376, .vocab_size = 32000};
const ModelConfig kC4_130M{
    .dim = 768, .layers = 12, .heads = 12, .ff_dim = 2048, .vocab_size = 32000};
const ModelConfig kLlama7B{
    .dim = 4096, .layers = 32, .heads = 32, .ff_dim = 11008, .vocab_size = 32000};

// 16 d + 8 ff + 4 h + 8 is what a block of bf16 tensors keeps whose SwiGLU is two steps. Here it is
// one, silu(gate) does not exist, and the residual stream is f32.
std::int64_t plain_block(const ModelConfig& model) {
  const std::int64_t published = 16 * model.dim + 8 * model.ff_dim + 4 * model.heads + 8;
  return published - 2 * model.ff_dim + 4 * model.dim;
}

TEST(VeloraBytes, BlocksKeepWhatTheFormulaSays) {
  EXPECT_EQ(16 * 512 + 8 * 1376 + 4 * 8 + 8, 19240);
  for (const ModelConfig& model : {kC4_60M, kC4_130M, kLlama7B}) {
    EXPECT_EQ(kept_per_token(model, Json::object()), plain_block(model));
  }
}

TEST(VeloraBytes, ProjectedInputsAreGoneAndSharedOnesAreNot) {
  const std::int64_t plain = plain_block(kC4_60M);
  const auto kept = [](const std::vector<std::string>& targets) {
    return kept_per_token(kC4_60M, {{"groups", 64}, {"targets", targets}});
  };
  EXPECT_EQ(kept({"v", "down:86"}), plain - (19240 - 16788));
  EXPECT_EQ(kept({"v"}), plain + 128) << "q and k keep the input of v";
  EXPECT_EQ(kept({"q", "k", "v", "down:86"}), plain - (19240 - 16020));
}

// Bytes of z in bf16: N g 2, and how many times smaller they are than the input.
TEST(VeloraBytes, AProjectionIsASubtokenSmaller) {
  struct Row {
    std::int64_t tokens, in, groups, input_bytes, kept_bytes, size;
  };
  for (const Row& row :
       {Row{32768, 512, 64, 33554432, 4194304, 8}, Row{32768, 1376, 86, 90177536, 5636096, 16},
        Row{8192, 768, 64, 8192 * 768 * 2, 8192 * 64 * 2, 12},
        Row{8192, 2048, 64, 8192 * 2048 * 2, 8192 * 64 * 2, 32},
        Row{8192, 4096, 32, 67108864, 524288, 128}, Row{8192, 11008, 32, 180355072, 524288, 344}}) {
    const auto backend = std::move(*make_backend("meta", 1));
    Subtokens subtokens(*backend, "t", {.groups = row.groups}, row.in);
    subtokens.keep_as(DType::kBf16);
    const Tensor x = activation(*backend, "t", "x", Shape{row.tokens, row.in}, DType::kBf16);
    EXPECT_EQ(x.ref().bytes(), row.input_bytes);
    const Tensor floats = workspace(*backend, "t", "floats", Shape{row.tokens, row.in});
    const Tensor z = subtokens.project(floats, false);
    EXPECT_EQ(z.ref().bytes(), row.kept_bytes);
    EXPECT_EQ(x.ref().bytes() / z.ref().bytes(), row.size);
  }
}

TEST(VeloraSpecs, GroupsThatDoNotDivideAreRefusedWithThoseThatDo) {
  EXPECT_THAT(refusal(tiny_spec({{"groups", 5}})),
              AllOf(HasSubstr("groups=5 does not divide the 32 inputs of layers.0.attention.v"),
                    HasSubstr("choose 4 or 8"), HasSubstr("64 inputs of layers.0.mlp.down")));
  EXPECT_THAT(refusal(tiny_spec({{"sub_token_size", 24}})), HasSubstr("choose 16 or 32"));
  EXPECT_THAT(refusal(tiny_spec({{"groups", 4}, {"sub_token_size", 4}})), HasSubstr("both"));
  EXPECT_THAT(refusal(tiny_spec({{"groups", 4}, {"targets", {"down:x"}}})), HasSubstr("down:86"));
  EXPECT_THAT(refusal(tiny_spec({{"groups", 4}, {"targets", {"value"}}})),
              HasSubstr("choose among"));
  EXPECT_THAT(refusal(tiny_spec({{"groups", 4}, {"layers", {"0-2"}}})), HasSubstr("0 to 1"));
}

TEST(VeloraSpecs, WhatSavesNothingIsRefusedOrTold) {
  TrainSpec frozen = tiny_spec({{"groups", 4}});
  std::vector<std::string> errors;
  const Method* lora = find_method("lora");
  frozen.method["lora"] = lora->normalise({{"rank", 2}, {"targets", {"q"}}}, "method", errors);
  EXPECT_THAT(refusal(frozen), HasSubstr("nothing that reads its input is trained"));
  EXPECT_THAT(warning(tiny_spec({{"groups", 4}})), HasSubstr("frees nothing"));
  EXPECT_THAT(warning(tiny_spec({{"groups", 4}, {"targets", {"q", "k", "v", "down"}}})), "");
  EXPECT_THAT(warning(tiny_spec({{"groups", 4}, {"targets", {"o"}}})),
              HasSubstr("backward pass of attention"));
  TrainSpec cheap = tiny_spec({{"groups", 4}});
  cheap.train.recompute = Recompute::kCheap;
  EXPECT_THAT(warning(cheap), HasSubstr("saves time here"));
  EXPECT_THAT(refusal(tiny_spec({{"groups", 4}, {"init", "ema"}, {"state", "factored"}})),
              HasSubstr("moves it from step to step"));
  TrainSpec small = tiny_spec({{"groups", 1}, {"init", "svd"}, {"targets", {"down"}}});
  small.train.batch_size = 1;
  EXPECT_THAT(refusal(small), HasSubstr("the first batch has only 16"));
  TrainSpec rounded = tiny_spec({{"groups", 4}, {"state", "factored"}});
  rounded.train.weights = WeightStore::kBf16Master;
  EXPECT_THAT(refusal(rounded), HasSubstr("state=full"));
}

TEST(VeloraSpecs, BlocksMayBeChosen) {
  TestRun run = make_run(tiny_spec({{"groups", 4}, {"layers", {"1"}}}));
  const auto subtokens = run.trainer->transformer().subtokens();
  ASSERT_EQ(subtokens.size(), 2u);
  EXPECT_EQ(subtokens[0]->name(), "layers.1.attention.v.direction");
  EXPECT_EQ(subtokens[1]->name(), "layers.1.mlp.down.direction");
}

}  // namespace
}  // namespace lathe
