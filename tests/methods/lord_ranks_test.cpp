// Ranks: break-even, the published counts, rounding, floors, the budget against all its rivals.
#include "engine/methods/lord/ranks.h"

#include <gtest/gtest.h>

#include <cmath>
#include <limits>

#include "engine/train/model_plan.h"

namespace lathe {
namespace {

RankLayer layer(std::int64_t out, std::int64_t in, const char* name = "layers.0.mlp.up") {
  return {.slot = {.name = name, .in = in, .out = out}};
}

// A spectrum of eigenvalues decay^k.
LayerSpectrum spectrum(std::int64_t side, double decay, double size = 1) {
  LayerSpectrum made;
  made.errors.assign(static_cast<std::size_t>(side) + 1, 0);
  for (std::int64_t k = 0; k < side; ++k) {
    made.values.push_back(size * std::pow(decay, k));
  }
  for (auto k = static_cast<std::size_t>(side); k-- > 0;) {
    made.errors[k] = made.errors[k + 1] + made.values[k];
  }
  return made;
}

std::vector<RankVerdict> chosen(const std::vector<RankLayer>& layers, const RankOptions& options) {
  Result<std::vector<RankVerdict>> verdicts = choose_ranks(layers, options);
  EXPECT_TRUE(verdicts.ok()) << (verdicts.ok() ? "" : verdicts.error().text());
  return std::move(verdicts).value();
}

std::int64_t rank_of(const RankLayer& of, RankRule rule, double value, std::int64_t multiple = 1) {
  return chosen({of}, {.rule = rule, .value = value, .multiple = multiple})[0].rank;
}

TEST(LordRanks, ParameterSharesOfKnownShapes) {
  const std::array<double, 4> kept{0.8, 0.6, 0.4, 0.2};
  const std::array<std::int64_t, 4> square{1638, 1228, 819, 409};
  const std::array<std::int64_t, 4> mlp{2388, 1791, 1194, 597};
  for (std::size_t i = 0; i < kept.size(); ++i) {
    EXPECT_EQ(rank_of(layer(4096, 4096), RankRule::kParamShare, kept[i]), square[i]);
    EXPECT_EQ(rank_of(layer(11008, 4096), RankRule::kParamShare, kept[i]), mlp[i]);
  }
  EXPECT_EQ(rank_of(layer(1024, 4096), RankRule::kParamShare, 0.8), 655);
}

TEST(LordRanks, ARankThatSavesNothingLeavesTheLayerDense) {
  EXPECT_EQ(layer(4096, 4096).break_even(), 2047);
  EXPECT_EQ(layer(6144, 24576).break_even(), 4915);
  const RankVerdict wide =
      chosen({layer(6144, 24576)}, {.rule = RankRule::kRank, .value = 4915})[0];
  EXPECT_EQ(wide.rank, 0);
  EXPECT_EQ(wide.params_after, 6144 * 24576);
  EXPECT_EQ(wide.reason, "rank 4915 of 6144x24576 saves nothing: break-even is 4915");
  EXPECT_EQ(rank_of(layer(4096, 4096), RankRule::kRank, 2048), 0);
  EXPECT_EQ(rank_of(layer(4096, 4096), RankRule::kRank, 2044), 2044);
  // A cut of 20 % of a 1:4 layer's rank, and of 50 % of a square one's, is none.
  EXPECT_EQ(rank_of(layer(24576, 6144), RankRule::kRankFraction, 0.8), 0);
  EXPECT_EQ(rank_of(layer(4096, 4096), RankRule::kRankFraction, 0.5), 0);
  EXPECT_GT(rank_of(layer(24576, 6144), RankRule::kRankFraction, 0.79), 0);
  // Above the smaller side too.
  EXPECT_EQ(rank_of(layer(192, 576), RankRule::kRank, 367), 0);
  // A new bias counts: 15 (32 + 32) + 32 of 1024 saves 32, and 16 nothing.
  RankLayer biased = layer(32, 32);
  biased.adds_bias = true;
  EXPECT_EQ(biased.break_even(), 15);
  EXPECT_EQ(chosen({biased}, {.rule = RankRule::kRank, .value = 15})[0].params_after, 992);
}

TEST(LordRanks, CountedAloneTheyMayCostMoreThanTheyRemove) {
  // LoRD's own figure: a tenth of the ranks of a 1:4 layer, which then holds more than before.
  const RankVerdict cut =
      chosen({layer(24576, 6144)},
             {.rule = RankRule::kRankFraction, .value = 0.9, .break_even = false})[0];
  EXPECT_EQ(cut.rank, 5529);
  EXPECT_EQ(cut.params_after, 5529 * (24576 + 6144));
  EXPECT_GT(cut.params_after, cut.params_before);
  const RankOptions all{.rule = RankRule::kRankFraction, .value = 1, .break_even = false};
  EXPECT_EQ(chosen({layer(24576, 6144)}, all)[0].rank, 0) << "full rank is the layer itself";
}

TEST(LordRanks, RoundDownButToOneMultipleAtLeast) {
  EXPECT_EQ(rank_of(layer(4096, 4096), RankRule::kRankFraction, 0.4, 128), 1536);
  EXPECT_EQ(rank_of(layer(4096, 4096), RankRule::kRankFraction, 0.4, 64), 1600);
  EXPECT_EQ(rank_of(layer(4096, 4096), RankRule::kRankFraction, 0.4, 8), 1632);
  EXPECT_EQ(rank_of(layer(4096, 4096), RankRule::kRankFraction, 0.4), 1638);
  EXPECT_EQ(rank_of(layer(4096, 4096), RankRule::kRankFraction, 0.01, 64), 64);
  // 0.29 x 100 is 28.999999999999996 in binary.
  EXPECT_EQ(rank_of(layer(100, 100), RankRule::kRankFraction, 0.29), 29);
  // The one multiple does not fit: dense.
  EXPECT_EQ(rank_of(layer(192, 576), RankRule::kRankFraction, 0.01, 256), 0);
}

TEST(LordRanks, EnergyKeepsWhatItPromises) {
  const LayerSpectrum halves = spectrum(64, 0.5);
  RankLayer of = layer(64, 256);
  of.spectrum = &halves;
  // 1 - 2^-r >= 0.99 from r = 7 on.
  EXPECT_EQ(rank_of(of, RankRule::kEnergy, 0.99), 7);
  EXPECT_EQ(rank_of(of, RankRule::kEnergy, 0.99, 8), 8);
  EXPECT_EQ(rank_of(of, RankRule::kEnergy, 1), 0);
  const RankVerdict verdict = chosen({of}, {.rule = RankRule::kEnergy, .value = 0.99})[0];
  EXPECT_NEAR(verdict.error_share.value(), std::pow(0.5, 7), 1e-12);
  const std::string text = summarise(std::array{verdict}, 0, 4).text();
  EXPECT_NE(text.find("energy kept 99.22 %"), std::string::npos) << text;
}

TEST(LordRanks, FloorsGuardAType) {
  const std::vector<RankLayer> layers{layer(64, 64, "layers.0.attention.v"),
                                      layer(64, 64, "layers.0.attention.q")};
  RankOptions options{.rule = RankRule::kParamShare, .value = 0.25, .multiple = 8};
  EXPECT_EQ(chosen(layers, options)[0].rank, 8);
  options.floors = {{.type = LayerType::kValue, .share = 0.6}};
  EXPECT_EQ(chosen(layers, options)[0].rank, 24);  // 0.6 x 32 = 19.2, up to a multiple
  EXPECT_EQ(chosen(layers, options)[1].rank, 8);
  options.floors[0].share = 1;
  const RankVerdict dense = chosen(layers, options)[0];
  EXPECT_EQ(dense.rank, 0);
  EXPECT_EQ(dense.reason, "layers v are kept dense");
  EXPECT_FALSE(layer_type("layers.0.attention.w").has_value());
}

// All linear slots of a model, or those of its MLPs; the rest is counted apart.
struct Planned {
  std::vector<RankLayer> layers;
  std::int64_t rest = 0;
};

Planned planned(const ModelConfig& model, bool mlp_only) {
  Planned plan;
  const std::vector<LinearPlan> slots = dense_plan(model);
  plan.rest = count_parameters(model, slots);
  for (const LinearPlan& slot : slots) {
    if (!mlp_only || slot.name.find(".mlp.") != std::string::npos) {
      plan.layers.push_back({.slot = slot});
      plan.rest -= slot.params();
    }
  }
  return plan;
}

ModelConfig starcoder() {
  return {.dim = 6144,
          .layers = 40,
          .heads = 48,
          .kv_heads = 1,
          .ff_dim = 24576,
          .vocab_size = 49152,
          .norm = NormKind::kLayer,
          .mlp = MlpKind::kGeluTanh,
          .bias = true,
          .positions = PositionKind::kLearned,
          .context = 8192};
}

RankSummary planned_summary(const Planned& plan, double rank, double bytes) {
  return summarise(chosen(plan.layers, {.rule = RankRule::kRank, .value = rank}), plan.rest, bytes);
}

TEST(LordRanks, StarCoderHasTheSizesOfItsReleasedCheckpoints) {
  const Planned plan = planned(starcoder(), true);
  const std::array<std::pair<double, double>, 6> released{
      {{4672, 14.92}, {4480, 14.45}, {4224, 13.82}, {3968, 13.19}, {3712, 12.56}, {3584, 12.25}}};
  for (const auto& [rank, billions] : released) {
    const RankSummary summary = planned_summary(plan, rank, 2);
    EXPECT_NEAR(static_cast<double>(summary.params_before) * 1e-9, 15.52, 0.01);
    EXPECT_NEAR(static_cast<double>(summary.params_after) * 1e-9, billions, 0.01) << rank;
  }
  const RankSummary none = planned_summary(plan, 4915, 2);
  EXPECT_EQ(none.params_after, none.params_before);
  EXPECT_EQ(none.factored, 0);
}

TEST(LordRanks, TheSummaryTellsRankParametersAndBytes) {
  const RankSummary summary = planned_summary(planned(starcoder(), true), 3712, 2);
  EXPECT_NEAR(summary.rank_cut, 0.3958, 5e-5);
  EXPECT_EQ(summary.text(),
            "80 of 80 layers in two factors: rank cut 39.58 %, parameters 15.52 G -> 12.56 G "
            "(19.06 % less, 1.24x), bytes 31.03 GB -> 25.12 GB");
}

TEST(LordRanks, Gpt2HasTheCompressionThatWasPublished) {
  const ModelConfig gpt2{.dim = 1600,
                         .layers = 48,
                         .heads = 25,
                         .ff_dim = 6400,
                         .vocab_size = 50257,
                         .norm = NormKind::kLayer,
                         .mlp = MlpKind::kGeluTanh,
                         .bias = true,
                         .positions = PositionKind::kLearned,
                         .context = 1024};
  const RankSummary summary = planned_summary(planned(gpt2, false), 367, 1);
  EXPECT_NEAR(static_cast<double>(summary.params_before) * 1e-6, 1557.6, 1.1);
  EXPECT_NEAR(
      static_cast<double>(summary.params_before) / static_cast<double>(summary.params_after), 2.64,
      0.01);
  EXPECT_NEAR(summary.bytes_after * 1e-9, 0.59, 0.005);
}

struct BudgetCase {
  std::vector<LayerSpectrum> spectra;
  std::vector<RankLayer> layers;
};

// Layers that fall off at different speeds.
BudgetCase budget_case() {
  BudgetCase made;
  const std::array<const char*, 3> names{"layers.0.attention.q", "layers.0.attention.v",
                                         "layers.0.mlp.up"};
  made.spectra = {spectrum(32, 0.7), spectrum(16, 0.95, 2), spectrum(32, 0.9)};
  const std::array<std::pair<std::int64_t, std::int64_t>, 3> shapes{{{32, 32}, {16, 32}, {96, 32}}};
  for (std::size_t i = 0; i < 3; ++i) {
    made.layers.push_back(layer(shapes[i].first, shapes[i].second, names[i]));
    made.layers[i].spectrum = &made.spectra[i];
  }
  return made;
}

struct Account {
  double error = 0;
  std::int64_t params = 0;
};

Account account(const BudgetCase& of, const std::array<std::int64_t, 3>& ranks) {
  Account sum;
  for (std::size_t i = 0; i < 3; ++i) {
    const RankLayer& at = of.layers[i];
    sum.params += ranks[i] == 0 ? at.dense_params() : at.params_at(ranks[i]);
    sum.error += ranks[i] == 0 ? 0 : of.spectra[i].layer_error(ranks[i]);
  }
  return sum;
}

// The least error that any ranks reach within `budget`.
double best_error(const BudgetCase& of, std::int64_t budget) {
  double best = std::numeric_limits<double>::infinity();
  for (std::int64_t q = 0; q < 16; ++q) {
    for (std::int64_t v = 0; v < 11; ++v) {
      for (std::int64_t up = 0; up < 24; ++up) {
        const Account sum = account(of, {q, v, up});
        best = sum.params <= budget ? std::min(best, sum.error) : best;
      }
    }
  }
  return best;
}

TEST(LordRanks, TheBudgetIsKeptAndSpentNearlyAsWellAsCanBe) {
  const BudgetCase of = budget_case();
  const std::int64_t dense = account(of, {0, 0, 0}).params;
  for (const double share : {0.3, 0.5, 0.7, 0.8, 0.9}) {
    const auto verdicts = chosen(of.layers, {.value = share, .relative_error = false});
    const Account sum = account(of, {verdicts[0].rank, verdicts[1].rank, verdicts[2].rank});
    const auto budget = static_cast<std::int64_t>(share * static_cast<double>(dense));
    EXPECT_LE(sum.params, budget);
    EXPECT_EQ(summarise(verdicts, 0, 1).params_after, sum.params);
    // Within what one rank of the widest layer is worth of the best of all choices.
    EXPECT_LE(sum.error, best_error(of, budget - 128) + 1e-12) << share;
    const auto uniform = chosen(of.layers, {.rule = RankRule::kParamShare, .value = share});
    EXPECT_LT(sum.error, account(of, {uniform[0].rank, uniform[1].rank, uniform[2].rank}).error);
  }
}

TEST(LordRanks, TheBudgetJumpsToDenseWhereFactorsCostAsMuch) {
  const BudgetCase of = budget_case();
  // v falls off so slowly that its ranks near break-even are passed over.
  const auto verdicts = chosen(of.layers, {.value = 0.8, .relative_error = false});
  EXPECT_EQ(verdicts[1].rank, 0);
  EXPECT_NE(verdicts[1].reason.find("break-even is 10"), std::string::npos) << verdicts[1].reason;
  for (const RankVerdict& verdict : chosen(of.layers, {.value = 1})) {
    EXPECT_EQ(verdict.rank, 0);
  }
}

TEST(LordRanks, TheBudgetIsKeptWhereTheLastRanksSaveNothing) {
  // Ranks 2046 and 2047 would fit, but save too little to be factored: dense would not fit.
  const LayerSpectrum flat = spectrum(4096, 1);
  RankLayer of = layer(4096, 4096);
  of.spectrum = &flat;
  EXPECT_EQ(chosen({of}, {.value = 0.9999})[0].rank, 2045);
}

TEST(LordRanks, ImportanceAndFloorsSteerTheBudget) {
  BudgetCase of = budget_case();
  const RankOptions options{.value = 0.5, .multiple = 2};
  const auto before = chosen(of.layers, options);
  of.layers[0].importance = 100;
  const auto after = chosen(of.layers, options);
  EXPECT_GT(after[0].params_after, before[0].params_after);
  for (const RankVerdict& verdict : after) {
    EXPECT_EQ(verdict.rank % 2, 0);
  }
  RankOptions guarded = options;
  guarded.floors = {{.type = LayerType::kValue, .share = 1}};
  EXPECT_EQ(chosen(of.layers, guarded)[1].rank, 0);
}

TEST(LordRanks, RelativeErrorsDoNotKnowTheOutputsScale) {
  BudgetCase of = budget_case();
  const auto ranks = [&](bool relative) {
    std::vector<std::int64_t> found;
    for (const RankVerdict& verdict :
         chosen(of.layers, {.value = 0.5, .relative_error = relative})) {
      found.push_back(verdict.rank);
    }
    return found;
  };
  const auto relative = ranks(true);
  const auto absolute = ranks(false);
  of.spectra[2] = spectrum(32, 0.9, 1000);
  EXPECT_EQ(ranks(true), relative);
  EXPECT_NE(ranks(false), absolute);
}

TEST(LordRanks, SayWhatIsWrong) {
  const BudgetCase of = budget_case();
  const auto error = [](const std::vector<RankLayer>& layers, const RankOptions& options) {
    return choose_ranks(layers, options).error();
  };
  EXPECT_NE(error(of.layers, {.value = 0.01}).message.find("least ranks need, 0.0"),
            std::string::npos);
  EXPECT_EQ(error(of.layers, {.value = 0}).kind, ErrorKind::kUsage);
  EXPECT_EQ(error(of.layers, {.rule = RankRule::kRank, .value = 0.5}).kind, ErrorKind::kUsage);
  EXPECT_EQ(error(of.layers, {.multiple = 0}).kind, ErrorKind::kUsage);
  EXPECT_EQ(error(of.layers, {.break_even = false}).kind, ErrorKind::kUsage);
  EXPECT_EQ(error(of.layers, {.floors = {{.share = 1.5}}}).kind, ErrorKind::kUsage);
  EXPECT_NE(error({layer(8, 8)}, {.value = 0.5}).message.find("layers.0.mlp.up"),
            std::string::npos);
}

}  // namespace
}  // namespace lathe
