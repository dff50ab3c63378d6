// Low-rank slots: break-even ranks with the published numbers, the three ways to give a rank, what
// is refused and what is warned of, and the spectral start against a full SVD.
#include "engine/methods/low_rank/low_rank.h"

#include <gtest/gtest.h>
#include <lapacke.h>

#include <cmath>

#include "engine/backend/random_values.h"
#include "engine/nn/factor_init.h"
#include "engine/train/trainer.h"

namespace lathe {
namespace {

LinearPlan slot(std::int64_t out, std::int64_t in) {
  return {.name = "layers.0.mlp.up", .in = in, .out = out};
}

TEST(LowRank, BreakEvenRanksOfKnownShapes) {
  // r < m n / (m + n): 2048 exactly for 4096 x 4096 saves nothing; 4915.2 for 6144 x 24576.
  EXPECT_EQ(slot(4096, 4096).break_even_rank(), 2047);
  EXPECT_EQ(slot(24576, 6144).break_even_rank(), 4915);
  LinearPlan factored = slot(4096, 4096);
  factored.storage = LinearStorage::kLowRank;
  factored.rank = 2048;
  EXPECT_EQ(factored.params(), slot(4096, 4096).params());
}

TEST(LowRank, RanksThatKeepAShareOfTheParameters) {
  // Removing 20, 40, 60 and 80 % of the parameters.
  const std::array<double, 4> kept{0.8, 0.6, 0.4, 0.2};
  const std::array<std::int64_t, 4> square{1638, 1228, 819, 409};
  const std::array<std::int64_t, 4> mlp{2388, 1791, 1194, 597};
  for (std::size_t i = 0; i < kept.size(); ++i) {
    const LowRankParams params{.param_share = kept[i]};
    EXPECT_EQ(rank_of(params, 4096, 4096), square[i]);
    EXPECT_EQ(rank_of(params, 11008, 4096), mlp[i]);
  }
  EXPECT_EQ(rank_of({.param_share = 0.8}, 1024, 4096), 655);
}

TEST(LowRank, AFractionIsOfTheSmallerSide) {
  EXPECT_EQ(rank_of({.rank_fraction = 0.25}, 1376, 512), 128);
  EXPECT_EQ(rank_of({.rank_fraction = 0.0001}, 64, 64), 1);
  EXPECT_EQ(rank_of({}, 64, 64), 0);
}

Result<PlanReport> plan_with(Json params) {
  TrainSpec spec;
  spec.model = {.dim = 64, .layers = 1, .heads = 4, .ff_dim = 96, .vocab_size = 50};
  spec.method = {{"low_rank", std::move(params)}};
  return plan_step(spec, {.parallelism = 1});
}

TEST(LowRank, ARankAboveBreakEvenWarnsOfWhatItCosts) {
  const auto plan = plan_with({{"rank", 40}});
  ASSERT_TRUE(plan.ok());
  ASSERT_FALSE(plan->warnings.empty());
  EXPECT_NE(plan->warnings[0].find("break-even 31"), std::string::npos) << plan->warnings[0];
  EXPECT_NE(plan->warnings[0].find("25 % more"), std::string::npos) << plan->warnings[0];
  EXPECT_TRUE(plan_with({{"rank", 31}})->warnings.empty());
}

TEST(LowRank, ARankAboveTheSmallerSideIsRefused) {
  const auto plan = plan_with({{"rank", 65}});
  ASSERT_FALSE(plan.ok());
  EXPECT_EQ(plan.error().kind, ErrorKind::kUsage);
  EXPECT_NE(plan.error().message.find("smaller side 64"), std::string::npos);
}

TEST(LowRank, TwoWaysToGiveARankAreOneTooMany) {
  EXPECT_EQ(plan_with({{"rank", 8}, {"rank_fraction", 0.5}}).error().kind, ErrorKind::kUsage);
}

TEST(LowRank, TheTargetChoosesSlots) {
  const auto all = plan_with({{"rank", 8}})->parameters;
  const auto attention = plan_with({{"rank", 8}, {"target", "attention"}})->parameters;
  const auto mlp = plan_with({{"rank", 8}, {"target", "mlp"}})->parameters;
  const auto dense = plan_with({{"rank", 0}})->parameters;
  EXPECT_EQ(dense - all, (dense - attention) + (dense - mlp));
  EXPECT_EQ(dense - attention, 4 * (64 * 64 - 8 * 128));
}

// The error of the best rank-r approximation, from a full SVD of the same dense start.
double best_error(std::vector<float> w, int m, int n, int rank) {
  std::vector<float> s(static_cast<std::size_t>(std::min(m, n)));
  std::vector<float> unused(1);
  EXPECT_EQ(LAPACKE_sgesdd(LAPACK_ROW_MAJOR, 'N', m, n, w.data(), n, s.data(), unused.data(), m,
                           unused.data(), n),
            0);
  double squares = 0;
  for (std::size_t i = static_cast<std::size_t>(rank); i < s.size(); ++i) {
    squares += static_cast<double>(s[i]) * static_cast<double>(s[i]);
  }
  return std::sqrt(squares);
}

TEST(LowRank, TheSpectralStartIsTheBestApproximationOfTheDenseStart) {
  for (const auto& [m, n] : {std::pair{24, 40}, std::pair{40, 24}, std::pair{24, 24}}) {
    std::vector<float> w(static_cast<std::size_t>(m * n));
    write_random_values(
        {.out = {w.data(), DType::kF32, Shape{m, n}}, .seed = 9, .stream = 4, .stddev = 0.02f}, 0,
        m * n);
    for (const int rank : {1, 7, 24}) {
      const FactorPair f = spectral_factors(m, n, rank, 0.02, 9, 4);
      double squares = 0;
      for (int i = 0; i < m; ++i) {
        for (int j = 0; j < n; ++j) {
          double product = 0;
          for (int r = 0; r < rank; ++r) {
            product += static_cast<double>(f.b[static_cast<std::size_t>(i * rank + r)]) *
                       static_cast<double>(f.a[static_cast<std::size_t>(r * n + j)]);
          }
          const double gap = product - static_cast<double>(w[static_cast<std::size_t>(i * n + j)]);
          squares += gap * gap;
        }
      }
      EXPECT_NEAR(std::sqrt(squares), best_error(w, m, n, rank), 2e-5)
          << m << "x" << n << " r" << rank;
    }
  }
}

}  // namespace
}  // namespace lathe
