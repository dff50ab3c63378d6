// Models decomposed block by block: what is looked at, what comes out, what is refused.
#include "engine/compress/decomposition.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <cmath>
#include <limits>
#include <numeric>

#include "engine/backend/sums.h"
#include "engine/compress/compress_spec.h"
#include "engine/compress/heldout.h"
#include "engine/compress/hidden_states.h"
#include "engine/compress/sensitivity.h"
#include "engine/lm/language_model.h"
#include "tests/support/block_values.h"
#include "tests/support/memory_tokens.h"
#include "tests/support/model_folder.h"
#include "tests/support/stored_values.h"

namespace lathe {
namespace {

using test::random_values;
using ::testing::HasSubstr;

const std::vector<LayerType> kAllTypes = target_types(CompressTarget::kAll);

class DecompositionTest : public testing::Test {
 protected:
  DecompositionTest()
      : folder_(testing::UnitTest::GetInstance()->current_test_info()->name()),
        backend_(std::move(*make_backend("cpu", 1))),
        text_(test::learnable_tokens(40, 4000)) {}

  ModelFile llama(const test::Values& values) {
    test::write_gguf(folder_.path() / "m.gguf", test::small_llama(), values);
    return *ModelFile::open(folder_.path() / "m.gguf");
  }
  ModelFile llama() { return llama(random_values(test::small_llama())); }
  ModelFile gpt2() {
    const ModelConfig model = test::small_gpt2(0);
    test::write_safetensors(folder_.path() / "model.safetensors",
                            test::stored_form(model, NameScheme::kHfGpt2, random_values(model)));
    folder_.write("config.json", test::gpt2_json(model).dump());
    return *ModelFile::open(folder_.path());
  }
  CalibrationSequences sequences(const ModelFile& model, std::int64_t samples,
                                 std::int64_t length) const {
    return *draw_sequences(*text_, model.config(), {.samples = samples, .seq_len = length});
  }
  Result<Decomposition> decomposed(const ModelFile& model, LordSolver solver,
                                   const CalibrationSequences& text) {
    return Decomposition::of(*backend_, model, text, {.solver = solver}, kAllTypes, {});
  }
  double loss(const ModelFile& model) {
    return heldout_loss(*backend_, model, *text_, 16, 40, {})->loss;
  }
  // What the last block's down reads.
  std::vector<float> last_hidden(const ModelFile& model, const CalibrationSequences& text) {
    return test::last_block_values(*backend_, model,
                                   text)[static_cast<std::size_t>(BlockValue::kDown)];
  }
  // Every layer at that share of its smaller side, whether it saves or not.
  static std::vector<RankVerdict> at_share(const Decomposition& all, double share) {
    std::vector<RankVerdict> verdicts;
    for (const DecomposedLayer& layer : all.layers()) {
      const auto full = static_cast<double>(layer.solution.spectrum().full_rank());
      RankVerdict verdict;
      verdict.name = layer.slot.name;
      verdict.rank = std::max<std::int64_t>(1, std::llround(share * full));
      verdicts.push_back(verdict);
    }
    return verdicts;
  }

  test::ModelFolder folder_;
  std::unique_ptr<Backend> backend_;
  std::shared_ptr<const TokenSource> text_;
};

TEST_F(DecompositionTest, LooksAtWhatTheLayersRead) {
  const ModelFile model = llama();
  const CalibrationSequences text = sequences(model, 3, 8);
  HiddenStates hidden(model, text);
  Block block = load_block(*backend_, model, 0);
  BlockValues values;
  ASSERT_EQ(hidden.portions(), 1);
  hidden.look(*backend_, block, 0, copying_observer(*backend_, values));
  // The first input is the embedding behind its norm.
  const std::vector<float> table = model.floats("embedding.weight");
  const std::vector<float> gain = model.floats("layers.0.attention_norm.gain");
  const std::vector<float>& seen = values[static_cast<std::size_t>(BlockValue::kAttention)];
  ASSERT_EQ(seen.size(), text.ids.size() * 32);
  for (std::size_t row = 0; row < text.ids.size(); ++row) {
    const float* x = table.data() + static_cast<std::size_t>(text.ids[row]) * 32;
    const double square = std::inner_product(x, x + 32, x, 0.0) / 32;
    for (std::size_t i = 0; i < 32; ++i) {
      EXPECT_NEAR(seen[row * 32 + i], x[i] / std::sqrt(square + 1e-5) * gain[i], 1e-5);
    }
  }
  EXPECT_EQ(values[static_cast<std::size_t>(BlockValue::kDown)].size(), text.ids.size() * 64);
}

TEST_F(DecompositionTest, FullRanksAreTheModelAndFewerLoseMore) {
  for (const ModelFile& model : {llama(), gpt2()}) {
    const double dense = loss(model);
    const CalibrationSequences text = sequences(model, 64, 16);
    const auto all = decomposed(model, LordSolver::kAffine, text);
    ASSERT_TRUE(all.ok()) << all.error().text();
    EXPECT_EQ(all->layers().size(), model.plans().size());
    EXPECT_NEAR(loss(all->with_ranks(at_share(*all, 1.0))), dense, 1e-4);
    const double half = std::abs(loss(all->with_ranks(at_share(*all, 0.5))) - dense);
    const double tenth = std::abs(loss(all->with_ranks(at_share(*all, 0.1))) - dense);
    EXPECT_GT(half, 1e-4);
    EXPECT_GT(tenth, half);
  }
}

TEST_F(DecompositionTest, LayersSeenFromTheirOutputsLoseWhatTheirInputsTell) {
  for (const ModelFile& model : {llama(), gpt2()}) {  // without a bias and with one
    const CalibrationSequences text = sequences(model, 64, 16);
    for (const LordSolver solver : {LordSolver::kAffine, LordSolver::kWhitened}) {
      const auto all = decomposed(model, solver, text);
      const DecomposedLayer& down = all->layers().back();
      ASSERT_LT(down.slot.out, down.slot.in);
      InputStatistics inputs(down.slot.in);
      ASSERT_TRUE(inputs.add(last_hidden(model, text)).ok());
      const std::vector<float> weight = model.floats(down.slot.name + ".weight");
      const auto wanted = solve_layer(
          {.out = down.slot.out, .in = down.slot.in, .weight = weight, .input = &inputs},
          {.solver = solver});
      for (const std::int64_t rank : {0, 1, 5, 20}) {
        EXPECT_NEAR(
            down.solution.spectrum().layer_error(rank) / wanted->spectrum().layer_error(rank), 1,
            1e-5)
            << down.slot.name << " rank " << rank;
      }
    }
  }
}

TEST_F(DecompositionTest, WhatTheCalibrationSawIsKeptBetterThanByTheWeightsAlone) {
  const ModelFile model = llama();
  const double dense = loss(model);
  const CalibrationSequences text = sequences(model, 64, 16);
  const auto plain = decomposed(model, LordSolver::kSvd, text);
  const auto affine = decomposed(model, LordSolver::kAffine, text);
  EXPECT_LT(std::abs(loss(affine->with_ranks(at_share(*affine, 0.4))) - dense),
            std::abs(loss(plain->with_ranks(at_share(*plain, 0.4))) - dense));
}

TEST_F(DecompositionTest, BlocksCanBeFittedToTheFactoredOnesBeforeThem) {
  ModelConfig deep = test::small_llama();
  deep.layers = 6;
  test::write_gguf(folder_.path() / "deep.gguf", deep, random_values(deep));
  const ModelFile model = *ModelFile::open(folder_.path() / "deep.gguf");
  const CalibrationSequences text = sequences(model, 128, 16);
  const auto all = decomposed(model, LordSolver::kAffine, text);
  const std::vector<RankVerdict> ranks = at_share(*all, 0.4);
  const auto fitted = all->sequentially(*backend_, text, ranks, 1e-6, {});
  ASSERT_TRUE(fitted.ok()) << fitted.error().text();
  const ModelFile alone = all->with_ranks(ranks);
  // The errors of six blocks add up where none of them knows of those before it.
  const std::vector<float> wanted = last_hidden(model, text);
  EXPECT_LT(test::squared_error(last_hidden(*fitted, text), wanted),
            test::squared_error(last_hidden(alone, text), wanted));
}

TEST_F(DecompositionTest, ValuesKeepNoBiasOfTheirOwn) {
  const ModelFile model = llama();
  const auto all = decomposed(model, LordSolver::kAffine, sequences(model, 16, 16));
  for (const DecomposedLayer& layer : all->layers()) {
    EXPECT_EQ(layer.solution.has_bias(), layer_type(layer.slot.name) != LayerType::kValue);
  }
}

TEST_F(DecompositionTest, SensitivityIsTheSquareOfTheOutputsGradients) {
  // With biases, the gradient of a bias is the sum of its output's over the rows: of one row, they
  // are equal.
  const ModelFile model = gpt2();
  CalibrationSequences text = sequences(model, 1, 2);
  const auto squares = output_sensitivity(*backend_, model, text, 2, {});
  ASSERT_TRUE(squares.ok()) << squares.error().text();
  Transformer transformer(*backend_, model.config(), model.plans());
  load_weights(*backend_, model, transformer);
  const std::vector<std::int32_t> targets{text.ids[1], -1};
  const Tensor ids = workspace(*backend_, "test", "ids", Shape{2}, DType::kI32);
  const Tensor wanted = workspace(*backend_, "test", "ids", Shape{2}, DType::kI32);
  backend_->write(ids, text.ids.data(), ids.ref().bytes());
  backend_->write(wanted, targets.data(), wanted.ref().bytes());
  const Tensor sums = make_sums(*backend_, "test", "sums");
  transformer.train(ids, wanted, {.batch = 1, .seq_len = 2}, 0, 1.0f, sums);
  for (Parameter* parameter : transformer.parameters()) {
    for (std::size_t slot = 0; slot < model.plans().size(); ++slot) {
      const LinearPlan& plan = model.plans()[slot];
      if (parameter->name != plan.name + ".bias" || plan.name.ends_with("attention.k") ||
          plan.name.ends_with("attention.v")) {
        continue;  // the second row, which has no target, reaches the others' outputs not at all
      }
      std::vector<float> gradient(static_cast<std::size_t>(plan.out));
      backend_->read(parameter->gradient, gradient.data(), parameter->gradient.ref().bytes());
      const double sum =
          std::inner_product(gradient.begin(), gradient.end(), gradient.begin(), 0.0);
      EXPECT_NEAR((*squares)[slot], sum / (2.0 * static_cast<double>(plan.out)), 1e-5 * sum + 1e-12)
          << plan.name;
    }
  }
}

TEST_F(DecompositionTest, NamesTheLayerWhoseInputsAreNotFinite) {
  test::Values values = random_values(test::small_llama());
  values.at("layers.1.mlp_norm.gain")[3] = std::numeric_limits<float>::infinity();
  const ModelFile model = llama(values);
  const auto all = decomposed(model, LordSolver::kAffine, sequences(model, 4, 8));
  ASSERT_FALSE(all.ok());
  EXPECT_EQ(all.error().kind, ErrorKind::kData);
  EXPECT_THAT(all.error().message, HasSubstr("layers.1, inputs of mlp"));
}

TEST_F(DecompositionTest, RefusesWhatIsFactoredAlreadyAndTextThatIsTooShort) {
  const ModelFile model = llama();
  const auto all = decomposed(model, LordSolver::kAffine, sequences(model, 4, 8));
  const ModelFile factored = all->with_ranks(at_share(*all, 0.5));
  const auto again = decomposed(factored, LordSolver::kAffine, sequences(model, 4, 8));
  ASSERT_FALSE(again.ok());
  EXPECT_THAT(again.error().message, HasSubstr("two factors already"));
  EXPECT_FALSE(draw_sequences(*text_, model.config(), {.seq_len = 65}).ok());  // context 64
  const auto little = test::learnable_tokens(40, 8);
  EXPECT_FALSE(draw_sequences(*little, model.config(), {.seq_len = 8}).ok());
}

TEST_F(DecompositionTest, EndsWhereItIsStopped) {
  const ModelFile model = llama();
  for (const double until : {0.3, 0.9}) {
    const auto all =
        Decomposition::of(*backend_, model, sequences(model, 4, 8), {}, kAllTypes,
                          [&](double share, const std::string&) { return share < until; });
    ASSERT_FALSE(all.ok());
    EXPECT_EQ(all.error().kind, ErrorKind::kInterrupted);
  }
}

TEST(CompressSpecTest, TakesOneRuleForItsRanks) {
  EXPECT_EQ(rank_options({})->rule, RankRule::kBudget);
  CompressSpec spec;
  spec.rank = 64;
  EXPECT_EQ(rank_options(spec)->rule, RankRule::kRank);
  spec.energy = 0.9;
  const auto both = rank_options(spec);
  ASSERT_FALSE(both.ok());
  EXPECT_THAT(both.error().message, HasSubstr("rank and energy"));
}

TEST(CompressSpecTest, RefusesBeforeTheLookWhatNoLayerCouldMend) {
  CompressSpec spec;
  spec.break_even = false;
  const auto growing = rank_options(spec);
  ASSERT_FALSE(growing.ok());
  EXPECT_THAT(growing.error().message, HasSubstr("may grow"));
  spec.rank_fraction = 0.9;
  EXPECT_TRUE(rank_options(spec).ok());
}

TEST(CompressSpecTest, KnowsTheSizesOfGroups) {
  CompressSpec spec;
  spec.quant = {.type = QuantType::kInt, .bits = 3, .group = 128};
  EXPECT_EQ(store_options(spec)->type, group_dtype(3, 128));
  spec.quant.group = 48;
  const auto odd = store_options(spec);
  ASSERT_FALSE(odd.ok());
  EXPECT_THAT(odd.error().message, HasSubstr("quant.group=48"));
  spec.quant.type = QuantType::kNf4;
  EXPECT_EQ(store_options(spec)->type, StoredType::kNf4);
}

}  // namespace
}  // namespace lathe
