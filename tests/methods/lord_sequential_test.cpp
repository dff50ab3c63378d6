// The sequential mode: factors that read what compressed layers before them make.
#include <gtest/gtest.h>

#include "tests/methods/lord_layer.h"

namespace lathe {
namespace {

// What a compressed prefix makes of rows: a shrunk mixture of neighbours, shifted, and noise.
std::vector<float> perturbed(const std::vector<float>& rows, std::int64_t width) {
  const auto n = static_cast<std::size_t>(width);
  const std::vector<float> noise = normal_values(rows.size(), 400);
  std::vector<float> other(rows.size());
  for (std::size_t i = 0; i < rows.size(); ++i) {
    const std::size_t neighbour = i - i % n + (i + 1) % n;
    other[i] = 0.8f * rows[i] + 0.15f * rows[neighbour] + 0.2f + 0.3f * noise[i];
  }
  return other;
}

class LordSequential : public testing::TestWithParam<std::pair<std::int64_t, std::int64_t>> {
 protected:
  LordSequential()
      : layer_(GetParam().first, GetParam().second, correlated_rows(900, GetParam().second, 1)),
        read_(perturbed(layer_.rows, layer_.in)),
        cross_(layer_.in) {
    EXPECT_TRUE(cross_.add(layer_.rows, read_).ok());
  }

  LayerProblem problem() const {
    LayerProblem problem = layer_.problem();
    problem.cross = &cross_;
    return problem;
  }

  ToyLayer layer_;
  std::vector<float> read_;
  CrossStatistics cross_;
};

TEST_P(LordSequential, TheSpectrumTellsTheErrorThatRowsShow) {
  for (const bool centred : {true, false}) {
    const LayerSolution solution = solved(problem(), {.centred = centred});
    for (std::int64_t rank = 1; rank <= solution.spectrum().full_rank(); rank += 3) {
      const LayerFactors factors = solution.factors(rank);
      const double truth = measured_error(layer_, factors, read_).squared;
      EXPECT_NEAR(solution.spectrum().layer_error(rank) / truth, 1, 1e-8) << rank;
      EXPECT_NEAR(layer_error(problem(), factors) / truth, 1, 1e-8) << rank;
    }
  }
}

TEST_P(LordSequential, BeatsTheSolutionOfTheDenseModel) {
  // Also where that one was fitted to the inputs it then reads, but with W as its aim.
  InputStatistics of_read(layer_.in);
  ASSERT_TRUE(of_read.add(read_).ok());
  LayerProblem on_read = layer_.problem();
  on_read.input = &of_read;
  const LayerSolution sequential = solved(problem(), {});
  for (const std::int64_t rank : {3, 6, 9, 12}) {
    const double error = layer_error(problem(), sequential.factors(rank));
    for (const LayerProblem& other : {layer_.problem(), on_read}) {
      for (const LordSolver solver : {LordSolver::kWhitened, LordSolver::kLord}) {
        const LayerFactors rival = solved(other, {.solver = solver}).factors(rank);
        EXPECT_LT(error, 0.999 * layer_error(problem(), rival)) << rank << enum_name(solver);
      }
    }
  }
}

TEST_P(LordSequential, IsTheBestMapOfItsRank) {
  const LayerFactors best = solved(problem(), {.ridge = 0}).factors(5);
  const double least = layer_error(problem(), best);
  for (std::uint64_t stream = 0; stream < 20; ++stream) {
    LayerFactors near = best;
    const std::vector<float> noise = normal_values(near.a.size() + near.b.size(), 500 + stream);
    for (std::size_t i = 0; i < near.a.size(); ++i) {
      near.a[i] += 1e-3 * static_cast<double>(noise[i]);
    }
    for (std::size_t i = 0; i < near.b.size(); ++i) {
      near.b[i] += 1e-3 * static_cast<double>(noise[near.a.size() + i]);
    }
    EXPECT_GT(layer_error(problem(), near), least);
  }
}

TEST_P(LordSequential, KeepsTheMeanOutput) {
  const LayerFactors factors = solved(problem(), {}).factors(4);
  for (const double shift : measured_error(layer_, factors, read_).mean_shift) {
    EXPECT_NEAR(shift, 0, 1e-10);
  }
}

TEST_P(LordSequential, IsThePlainAffineFitWhereNothingChanged) {
  CrossStatistics same(layer_.in);
  ASSERT_TRUE(same.add(layer_.rows, layer_.rows).ok());
  LayerProblem unchanged = layer_.problem();
  unchanged.cross = &same;
  const LayerFactors sequential = solved(unchanged, {}).factors(5);
  const LayerFactors plain = solved(layer_.problem(), {}).factors(5);
  EXPECT_LT(difference(whole_map(plain, layer_.out, layer_.in),
                       whole_map(sequential, layer_.out, layer_.in)),
            1e-8);
  EXPECT_LT(difference(plain.bias, sequential.bias), 1e-8);
}

TEST_P(LordSequential, SurvivesFewRowsAndDeadInputs) {
  for (const double ridge : {0.0, 1e-6}) {
    CrossStatistics few(layer_.in);
    std::vector<float> dense = correlated_rows(5, layer_.in, 1);
    std::vector<float> read = perturbed(dense, layer_.in);
    for (std::size_t i = 0; i < read.size(); i += static_cast<std::size_t>(layer_.in)) {
      read[i + 2] = 0;
    }
    ASSERT_TRUE(few.add(dense, read).ok());
    LayerProblem problem = layer_.problem();
    problem.cross = &few;
    const LayerSolution solution = solved(problem, {.ridge = ridge});
    EXPECT_NE(solution.note().find("fewer rows (5)"), std::string::npos) << solution.note();
    EXPECT_NE(solution.note().find("1 of "), std::string::npos) << solution.note();
    for (const double a : solution.factors(solution.spectrum().full_rank()).a) {
      ASSERT_TRUE(std::isfinite(a));
    }
    // Five rows can be fitted.
    EXPECT_LT(solution.spectrum().errors.back(), 1e-3 * solution.spectrum().energy());
  }
}

TEST_P(LordSequential, ReadsNothingFromInputsThatAreZero) {
  CrossStatistics dead(layer_.in);
  ASSERT_TRUE(dead.add(layer_.rows, std::vector<float>(layer_.rows.size())).ok());
  LayerProblem problem = layer_.problem();
  problem.cross = &dead;
  const LayerSolution solution = solved(problem, {});
  EXPECT_NEAR(solution.spectrum().errors.back() / solution.spectrum().energy(), 1, 1e-12);
  for (const double b : solution.factors(2).bias) {
    EXPECT_TRUE(std::isfinite(b));
  }
}

INSTANTIATE_TEST_SUITE_P(Shapes, LordSequential,
                         testing::Values(std::pair<std::int64_t, std::int64_t>{14, 30},
                                         std::pair<std::int64_t, std::int64_t>{30, 14},
                                         std::pair<std::int64_t, std::int64_t>{20, 20}));

}  // namespace
}  // namespace lathe
