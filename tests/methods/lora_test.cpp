// Adapters: published counts, PiSSA's start, what is kept and trained, restarts, what is refused,
// and the one matrix that they become.
#include "engine/methods/lora/lora.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <unistd.h>

#include <cmath>
#include <filesystem>

#include "engine/backend/sums.h"
#include "engine/io/model_file.h"
#include "engine/io/safetensors.h"
#include "engine/nn/factor_init.h"
#include "engine/nn/linear.h"
#include "engine/nn/transformer.h"
#include "engine/optim/adamw.h"
#include "engine/optim/prune_state.h"
#include "engine/train/model_plan.h"
#include "engine/train/trainer.h"
#include "tests/methods/merged_loss.h"

namespace lathe {
namespace {

namespace fs = std::filesystem;
using ::testing::HasSubstr;

using test::make_run;
using test::merged_loss;
using test::refusal;
using TestRun = test::TinyRun;

constexpr std::int64_t kVocab = test::kTinyVocab;

Json normalised(const Json& params) {
  std::vector<std::string> errors;
  const Json full = lora_method().normalise(params, "method.lora", errors);
  EXPECT_TRUE(errors.empty());
  return full;
}

TrainSpec tiny_spec(const Json& params) {
  TrainSpec spec = test::tiny_spec();
  spec.method["lora"] = normalised(params);
  return spec;
}

TEST(Lora, CountsOfPublishedAdapters) {
  const auto count = [](const ModelConfig& model, const Json& params) {
    std::vector<LinearPlan> slots = dense_plan(model);
    std::vector<std::string> errors, warnings;
    lora_method().plan(normalised(params), model, slots, errors, warnings);
    EXPECT_TRUE(errors.empty());
    return count_parameters(model, slots) - count_parameters(model, dense_plan(model));
  };
  const ModelConfig llama2_13b{
      .dim = 5120, .layers = 40, .heads = 40, .ff_dim = 13824, .vocab_size = 32000};
  EXPECT_EQ(count(llama2_13b, {{"rank", 8}}), 6553600);
  const ModelConfig llama3_8b{
      .dim = 4096, .layers = 32, .heads = 32, .kv_heads = 8, .ff_dim = 14336, .vocab_size = 128256};
  EXPECT_EQ(count(llama3_8b, {{"rank", 8}, {"targets", {"q", "k", "v"}}}), 4718592);
  EXPECT_EQ(count(llama3_8b, {{"rank", 4}, {"targets", {"q", "k", "v"}}}), 2359296);
}

// One slot on cpu_ref, with what it makes of the same rows.
class AdapterSlot : public testing::Test {
 protected:
  AdapterSlot() : backend_(std::move(*make_backend("cpu_ref", 1))) {}

  LinearPlan plan(std::int64_t rank, AdapterInit init) const {
    return {.name = "layers.0.mlp.up",
            .in = 24,
            .out = 40,
            .init_std = 0.3,
            .adapter = {.rank = rank, .scale = 2.5, .init = init}};
  }
  std::unique_ptr<Linear> slot(const LinearPlan& plan) {
    auto made = std::make_unique<Linear>(*backend_, plan);
    made->initialise(3, 16);
    made->start_adapter(3, 99, 0);
    return made;
  }
  std::vector<float> output(Linear& linear) {
    const Tensor x = workspace(*backend_, "t", "x", Shape{7, 24});
    const Tensor y = workspace(*backend_, "t", "y", Shape{7, 40});
    ops::random_fill(*backend_, {.out = x, .seed = 1, .stream = 1});
    linear.forward(x, y, nullptr);
    const float* values = y.ref().f32();
    return {values, values + y.ref().elements()};
  }
  std::vector<float> weights(Linear& linear, std::size_t index) {
    std::vector<Parameter*> all;
    linear.append_parameters(all);
    const float* values = all[index]->weight.ref().f32();
    return {values, values + all[index]->elements()};
  }

  std::unique_ptr<Backend> backend_;
};

TEST_F(AdapterSlot, PissaBeginsAsTheDenseLayer) {
  const auto dense = slot(plan(0, AdapterInit::kDefault));
  const auto pissa = slot(plan(5, AdapterInit::kPissa));
  const std::vector<float> want = output(*dense);
  const std::vector<float> got = output(*pissa);
  for (std::size_t i = 0; i < want.size(); ++i) {
    ASSERT_NEAR(got[i], want[i], 1e-5f);
  }
  // The adapter is the best rank-5 part of W, so the residual is what is left of the spectrum.
  const auto squares = [](const std::vector<float>& w) {
    double sum = 0;
    for (const float value : w) {
      sum += double(value) * double(value);
    }
    return sum;
  };
  const std::vector<float> w = weights(*dense, 0);
  const FactorPair best = leading_factors(w, 40, 24, 5);
  double leading = 0;  // singular values are the squared norms of A's rows
  for (std::size_t k = 0; k < 5; ++k) {
    const auto row = best.a.begin() + std::ptrdiff_t(24 * k);
    const double value = squares({row, row + 24});
    leading += value * value;
  }
  EXPECT_NEAR(squares(weights(*pissa, 0)), squares(w) - leading, 1e-4 * squares(w));
  EXPECT_LT(squares(weights(*pissa, 0)), 0.7 * squares(w));
}

TEST_F(AdapterSlot, ARestartKeepsTheFunction) {
  const auto linear = slot(plan(5, AdapterInit::kDefault));
  EXPECT_EQ(output(*linear), output(*slot(plan(0, AdapterInit::kDefault))));
  std::vector<Parameter*> all;
  linear->append_parameters(all);
  ops::random_fill(*backend_, {.out = all[2]->weight, .seed = 5, .stream = 5, .stddev = 0.2f});
  const std::vector<float> before = output(*linear);
  const std::vector<float> a = weights(*linear, 1);
  linear->start_adapter(3, 100, 1);
  const std::vector<float> after = output(*linear);
  for (std::size_t i = 0; i < before.size(); ++i) {
    ASSERT_NEAR(after[i], before[i], 1e-5f);
  }
  EXPECT_NE(weights(*linear, 1), a);
  EXPECT_THAT(weights(*linear, 2), testing::Each(0.0f));
}

TEST(PruneState, TheSmallestFirstMomentsGoWithTheirSecond) {
  const auto backend = std::move(*make_backend("cpu", 1));
  const Tensor m = workspace(*backend, "t", "m", Shape{8});
  const Tensor v = workspace(*backend, "t", "v", Shape{8});
  const std::vector<float> first{3, -1, 2, -8, 1, 5, 0, -4};
  const std::vector<float> second{1, 2, 3, 4, 5, 6, 7, 8};
  backend->write(m, first.data(), m.ref().bytes());
  backend->write(v, second.data(), v.ref().bytes());
  prune_state(*backend, {m}, {v}, 0.7);
  const std::vector<float> got_m(m.ref().f32(), m.ref().f32() + 8);
  const std::vector<float> got_v(v.ref().f32(), v.ref().f32() + 8);
  EXPECT_EQ(got_m, (std::vector<float>{0, 0, 0, -8, 0, 5, 0, -4}));
  EXPECT_EQ(got_v, (std::vector<float>{0, 0, 0, 4, 0, 6, 0, 8}));
}

// Two blocks, of which the first has the larger absmax.
TEST(PruneState, OfCodesTheBytesOfWhatStaysStay) {
  const auto backend = std::move(*make_backend("cpu", 1));
  constexpr std::int64_t kCount = 258;
  std::vector<std::uint8_t> first(kCount, 127), second(kCount, 9);
  first[0] = 130;  // of 10
  first[1] = 90;
  first[256] = 255;  // of 1e-3
  first[257] = 2;
  const std::vector<float> absmax{10.0f, 1e-3f};
  const Tensor m = workspace(*backend, "t", "m", Shape{kCount}, DType::kU8);
  const Tensor v = workspace(*backend, "t", "v", Shape{kCount}, DType::kU8);
  const Tensor m_absmax = workspace(*backend, "t", "m", Shape{2});
  const Tensor v_absmax = workspace(*backend, "t", "v", Shape{2});
  backend->write(m, first.data(), kCount);
  backend->write(v, second.data(), kCount);
  backend->write(m_absmax, absmax.data(), 8);
  backend->write(v_absmax, absmax.data(), 8);
  prune_state(*backend, {m, m_absmax}, {v, v_absmax}, 256.0 / kCount);
  // 10 * 3.25e-5 is less than 1e-3, and so goes.
  std::vector<std::uint8_t> want_m(kCount, 127), want_v(kCount, 0);
  want_m[1] = 90;
  want_m[256] = 255;
  want_v[1] = want_v[256] = 9;
  std::vector<std::uint8_t> got_m(kCount), got_v(kCount);
  backend->read(m, got_m.data(), kCount);
  backend->read(v, got_v.data(), kCount);
  EXPECT_EQ(got_m, want_m);
  EXPECT_EQ(got_v, want_v);
  EXPECT_EQ(m_absmax.ref().f32()[0], 10.0f);
}

TEST(Lora, TakesGradientsAndMomentsForAdaptersAlone) {
  const Json params{{"rank", 4}, {"targets", {"q", "v"}}};
  const std::int64_t elements = 2 * 2 * 4 * (32 + 32);
  const TrainSpec spec = tiny_spec(params);
  TestRun run = make_run(spec);
  const StepReport step = *run.trainer->step();
  const auto live = [&](Category category) {
    return step.live.by_category[static_cast<std::size_t>(category)];
  };
  EXPECT_EQ(live(Category::kAdapters), 4 * elements);
  EXPECT_EQ(live(Category::kOptimizer), 8 * elements);
  TrainSpec dense = spec;
  dense.method = Json::object();
  const auto plan = plan_step(spec, {.parallelism = 2});
  const auto without = plan_step(dense, {.parallelism = 2});
  const auto activations = static_cast<std::size_t>(Category::kActivations);
  // Of each adapter the rank-wide A x.
  EXPECT_EQ(plan->peak.by_category[activations] - without->peak.by_category[activations],
            4 * (4 * 16) * 4 * 4);
  EXPECT_EQ(plan->peak.by_category, step.peak.by_category);
}

TEST(Lora, WhatIsFrozenStaysAsItWas) {
  const fs::path folder = fs::temp_directory_path() / ("lathe_lora_" + std::to_string(getpid()));
  const TrainSpec spec = tiny_spec({{"rank", 4}});
  TestRun run = make_run(spec);
  ASSERT_TRUE(run.trainer->save((folder / "0").string()).ok());
  run.steps(3);
  ASSERT_TRUE(run.trainer->save((folder / "3").string()).ok());
  const auto before = SafetensorsFile::open(folder / "0" / "weights.safetensors");
  const auto after = SafetensorsFile::open(folder / "3" / "weights.safetensors");
  for (const SafetensorsEntry& entry : before->entries()) {
    const auto was = before->bytes(entry);
    const auto is = after->bytes(*after->find(entry.name));
    EXPECT_EQ(std::equal(was.begin(), was.end(), is.begin()),
              entry.name.find(".lora_") == std::string::npos)
        << entry.name;
  }
  fs::remove_all(folder);
}

TEST(Lora, BecomesOneMatrixThatComputesTheSame) {
  for (const char* init : {"default", "pissa"}) {
    const TrainSpec spec = tiny_spec({{"rank", 4}, {"targets", {"all"}}, {"init", init}});
    TestRun run = make_run(spec);
    const double before = run.trainer->evaluate()->loss;
    run.steps(5);
    const double after = run.trainer->evaluate()->loss;
    EXPECT_NE(before, after);
    EXPECT_NEAR(merged_loss(spec, run), after, 1e-5);
  }
}

TEST(Lora, BesideTwoFactorsBecomesFurtherDirectionsOfThem) {
  TrainSpec spec = tiny_spec({{"rank", 3}, {"targets", {"all"}}});
  spec.method["low_rank"] = find_method("low_rank")
                                ->normalise({{"rank", 6}}, "method.low_rank",
                                            *std::make_unique<std::vector<std::string>>());
  TestRun run = make_run(spec);
  run.steps(5);
  EXPECT_NEAR(merged_loss(spec, run), run.trainer->evaluate()->loss, 1e-5);
}

TEST(Relora, RestartsRepeatAndGoOnFromAnyStep) {
  const TrainSpec spec = tiny_spec({{"rank", 4},
                                    {"targets", {"all"}},
                                    {"train_rest", true},
                                    {"restart_every", 5},
                                    {"restart_warmup", 3}});
  const fs::path folder = fs::temp_directory_path() / ("lathe_relora_" + std::to_string(getpid()));
  TestRun whole = make_run(spec);
  std::vector<double> rates;
  for (int step = 1; step <= 13; ++step) {
    rates.push_back(whole.trainer->step()->lr);
    if (step == 5 || step == 7) {
      ASSERT_TRUE(whole.trainer->save((folder / std::to_string(step)).string()).ok());
    }
  }
  EXPECT_NEAR(rates[0], learning_rate(spec.optim, spec.optim.lr, 1, 30), 1e-12);
  EXPECT_NEAR(rates[5], learning_rate(spec.optim, spec.optim.lr, 6, 30) / 3, 1e-12);
  EXPECT_NEAR(rates[7], learning_rate(spec.optim, spec.optim.lr, 8, 30), 1e-12);
  for (const int from : {5, 7}) {
    TestRun rest = make_run(spec);
    ASSERT_TRUE(rest.trainer->load((folder / std::to_string(from)).string()).ok());
    rest.steps(13 - from);
    EXPECT_EQ(rest.trainer->parameter_digest(), whole.trainer->parameter_digest()) << from;
  }
  TrainSpec far = spec;
  far.train.metrics_every = 4;
  TestRun issued = make_run(far);
  std::vector<StepReport> reports;
  for (int step = 1; step <= 13; ++step) {
    ASSERT_TRUE(issued.trainer->advance(reports).ok());
  }
  ASSERT_TRUE(issued.trainer->wait(reports).ok());
  EXPECT_EQ(reports.size(), 13u);
  EXPECT_EQ(issued.trainer->parameter_digest(), whole.trainer->parameter_digest());
  fs::remove_all(folder);
}

TEST(Relora, AMergeLeavesTheModelAsItIsAndAdaptersEmpty) {
  TestRun run = make_run(tiny_spec({{"rank", 4}, {"targets", {"all"}}, {"train_rest", true}}));
  run.steps(8);
  const double before = run.trainer->evaluate()->loss;
  Transformer& model = run.trainer->transformer();
  model.start_adapters(7, 1);
  EXPECT_NEAR(run.trainer->evaluate()->loss, before, 1e-5);
  int emptied = 0;
  for (const Parameter* parameter : model.parameters()) {
    if (parameter->name.ends_with(".lora_b")) {
      const TensorRef b = parameter->weight;
      EXPECT_THAT(std::vector<float>(b.f32(), b.f32() + b.elements()), testing::Each(0.0f));
      ++emptied;
    }
  }
  EXPECT_EQ(emptied, 14);
}

TEST(Relora, SumsOfRestartsPassTheRankOfOne) {
  const auto loss_after = [](std::int64_t every) {
    TestRun run = make_run(tiny_spec({{"rank", 1},
                                      {"targets", {"all"}},
                                      {"train_rest", true},
                                      {"restart_every", every},
                                      {"restart_warmup", 2}}));
    run.steps(30);
    return run.trainer->evaluate()->loss;
  };
  EXPECT_NE(loss_after(10), loss_after(0));
}

TEST(Lora, WhatCannotBeIsRefused) {
  EXPECT_THAT(refusal(tiny_spec({{"rank", 4}, {"targets", {"query"}}})), HasSubstr("\"query\""));
  EXPECT_THAT(refusal(tiny_spec({{"rank", 4}, {"targets", Json::array()}})),
              HasSubstr("names no slot"));
  EXPECT_THAT(refusal(tiny_spec({{"rank", 33}})), HasSubstr("smaller side"));
  TrainSpec plain = tiny_spec({{"rank", 4}, {"targets", {"gate"}}});
  plain.model.mlp = MlpKind::kGelu;
  EXPECT_THAT(refusal(plain), HasSubstr("without a gate"));
  TrainSpec parts = tiny_spec({{"rank", 4}});
  parts.train.parts = TrainedParts::kFactors;
  EXPECT_THAT(refusal(parts), HasSubstr("both choose what is trained"));
  for (const Json& writes :
       {Json{{"rank", 4}, {"init", "pissa"}}, Json{{"rank", 4}, {"restart_every", 10}}}) {
    TrainSpec rounded = tiny_spec(writes);
    rounded.train.weights = WeightStore::kBf16Master;
    EXPECT_THAT(refusal(rounded), HasSubstr("train.weights=f32"));
    TrainSpec factored = tiny_spec(writes);
    factored.base_slots = dense_plan(factored.model);
    for (LinearPlan& slot : factored.base_slots) {
      slot.storage = LinearStorage::kLowRank;
      slot.rank = 6;
    }
    EXPECT_THAT(refusal(factored), HasSubstr("which is two factors"));
  }
}

}  // namespace
}  // namespace lathe
