// The solvers against LAPACK's SVD, against each other, and against errors counted row by row.
#include "engine/methods/lord/solver.h"

#include <gtest/gtest.h>
#include <lapacke.h>

#include <algorithm>
#include <limits>
#include <numeric>

#include "tests/methods/lord_layer.h"

namespace lathe {
namespace {

constexpr std::array kSolvers{LordSolver::kSvd, LordSolver::kAsvd, LordSolver::kWhitened,
                              LordSolver::kLord, LordSolver::kAffine};

// Wide, tall, square.
constexpr std::array<std::pair<std::int64_t, std::int64_t>, 3> kShapes{
    {{12, 30}, {30, 12}, {20, 20}}};

ToyLayer toy(std::int64_t out, std::int64_t in) {
  return {out, in, correlated_rows(600, in, 1)};
}

std::vector<double> in_double(const std::vector<float>& values) {
  return {values.begin(), values.end()};
}

// The rank-r part of k [m, n] by LAPACK's full SVD.
std::vector<double> truncated(std::vector<double> k, std::size_t m, std::size_t n, std::size_t r) {
  const std::size_t p = std::min(m, n);
  std::vector<double> s(p);
  std::vector<double> u(m * p);
  std::vector<double> vt(p * n);
  EXPECT_EQ(LAPACKE_dgesdd(LAPACK_ROW_MAJOR, 'S', static_cast<int>(m), static_cast<int>(n),
                           k.data(), static_cast<int>(n), s.data(), u.data(), static_cast<int>(p),
                           vt.data(), static_cast<int>(n)),
            0);
  std::vector<double> part(m * n);
  for (std::size_t i = 0; i < m; ++i) {
    for (std::size_t j = 0; j < n; ++j) {
      for (std::size_t l = 0; l < r; ++l) {
        part[i * n + j] += u[i * p + l] * s[l] * vt[l * n + j];
      }
    }
  }
  return part;
}

TEST(LordSolver, TheLayerErrorIsTheDiscardedEigenvalues) {
  for (const auto& [out, in] : kShapes) {
    const ToyLayer layer = toy(out, in);
    for (const LordSolver solver : {LordSolver::kLord, LordSolver::kAffine}) {
      const LayerSolution solution = solved(layer.problem(), {.solver = solver});
      for (std::int64_t rank = 1; rank < solution.spectrum().full_rank(); rank += 3) {
        const auto& values = solution.spectrum().values;
        const double discarded = std::accumulate(values.begin() + rank, values.end(), 0.0);
        const LayerFactors factors = solution.factors(rank);
        EXPECT_NEAR(measured_error(layer, factors, layer.rows).squared / discarded, 1, 1e-9);
        EXPECT_NEAR(solution.spectrum().layer_error(rank) / discarded, 1, 1e-9);
      }
    }
  }
}

void expect_falling(const LayerSpectrum& spectrum) {
  EXPECT_TRUE(std::is_sorted(spectrum.values.rbegin(), spectrum.values.rend()));
  EXPECT_TRUE(std::is_sorted(spectrum.errors.rbegin(), spectrum.errors.rend()));
}

TEST(LordSolver, EverySpectrumTellsTheErrorThatRowsShow) {
  for (const auto& [out, in] : kShapes) {
    const ToyLayer layer = toy(out, in);
    for (const LordSolver solver : kSolvers) {
      const LayerSolution solution = solved(layer.problem(), {.solver = solver});
      expect_falling(solution.spectrum());
      for (std::int64_t rank = 1; rank < solution.spectrum().full_rank(); rank += 4) {
        const LayerFactors factors = solution.factors(rank);
        const double truth = measured_error(layer, factors, layer.rows).squared;
        EXPECT_NEAR(solution.spectrum().layer_error(rank) / truth, 1, 1e-9)
            << enum_name(solver) << " rank " << rank;
        EXPECT_NEAR(layer_error(layer.problem(), factors) / truth, 1, 1e-9);
      }
    }
  }
}

TEST(LordSolver, FactorsInSinglePrecisionLoseNoMore) {
  const ToyLayer layer = toy(30, 12);
  const LayerSolution solution = solved(layer.problem(), {});
  LayerFactors factors = solution.factors(8);
  for (std::vector<double>* values : {&factors.a, &factors.b, &factors.bias}) {
    for (double& x : *values) {
      x = static_cast<float>(x);
    }
  }
  EXPECT_NEAR(layer_error(layer.problem(), factors) / solution.spectrum().layer_error(8), 1, 1e-6);
}

TEST(LordSolver, MassiveActivationsDoNotDrownTheRest) {
  // One channel of a few rows is ten thousand times the rest, as at a text's first token.
  for (const auto& [out, in] : kShapes) {
    std::vector<float> rows = correlated_rows(600, in, 1, 0.3);
    for (std::size_t i = 0; i < 600; i += 200) {
      rows[i * static_cast<std::size_t>(in) + 3] = 10000;
    }
    const ToyLayer layer(out, in, std::move(rows));
    for (const std::int64_t rank : {3, 6, 9}) {
      const LayerSolution lord = solved(layer.problem(), {.solver = LordSolver::kLord});
      const LayerSolution white = solved(layer.problem(), {.solver = LordSolver::kWhitened});
      const double truth = measured_error(layer, lord.factors(rank), layer.rows).squared;
      EXPECT_NEAR(lord.spectrum().layer_error(rank) / truth, 1, 1e-6);
      EXPECT_LT(truth, white.spectrum().layer_error(rank));
    }
  }
}

TEST(LordSolver, FullRankIsTheLayerItself) {
  for (const auto& [out, in] : kShapes) {
    const ToyLayer layer = toy(out, in);
    for (const LordSolver solver : kSolvers) {
      const LayerSolution solution = solved(layer.problem(), {.solver = solver});
      const LayerFactors factors = solution.factors(solution.spectrum().full_rank());
      EXPECT_LT(difference(in_double(layer.weight), whole_map(factors, out, in)), 1e-10);
      EXPECT_LT(difference(in_double(layer.bias), factors.bias), 1e-9);
    }
  }
}

TEST(LordSolver, PlainSvdIsThatOfLapack) {
  for (const auto& [out, in] : kShapes) {
    const ToyLayer layer = toy(out, in);
    LayerProblem problem = layer.problem();
    problem.input = nullptr;  // needs no data
    const LayerSolution solution = solved(problem, {.solver = LordSolver::kSvd});
    const LayerFactors factors = solution.factors(5);
    const auto m = static_cast<std::size_t>(out);
    const auto n = static_cast<std::size_t>(in);
    const std::vector<double> best = truncated(in_double(layer.weight), m, n, 5);
    EXPECT_LT(difference(best, whole_map(factors, out, in)), 1e-12);
    double lost = 0;
    for (std::size_t i = 0; i < best.size(); ++i) {
      lost += std::pow(static_cast<double>(layer.weight[i]) - best[i], 2);
    }
    EXPECT_NEAR(solution.spectrum().layer_error(5) / lost, 1, 1e-12);
  }
}

TEST(LordSolver, SmallSingularValuesKeepTheirDigits) {
  // Singular values 4^-k: the last is 1e-5 of the first, its square 1e-10.
  for (const bool wide : {true, false}) {
    std::vector<float> weight(9 * 20);
    for (std::size_t k = 0; k < 9; ++k) {
      weight[wide ? k * 20 + 2 * k : 2 * k * 9 + k] = static_cast<float>(std::pow(0.25, k));
    }
    const LayerProblem problem{
        .out = wide ? 9 : 20, .in = wide ? 20 : 9, .weight = weight, .bias = {}};
    const LayerSolution solution = solved(problem, {.solver = LordSolver::kSvd});
    for (std::size_t k = 0; k < 9; ++k) {
      EXPECT_NEAR(std::sqrt(solution.spectrum().values[k]) / std::pow(0.25, k), 1, 1e-9) << k;
    }
  }
}

TEST(LordSolver, AsvdIsTheSvdOfTheScaledWeight) {
  for (const auto& [out, in] : kShapes) {
    const ToyLayer layer = toy(out, in);
    const auto n = static_cast<std::size_t>(in);
    std::vector<double> scaled = in_double(layer.weight);
    const std::vector<double> magnitude = layer.input.columns().mean_magnitude();
    for (std::size_t i = 0; i < scaled.size(); ++i) {
      scaled[i] *= std::pow(magnitude[i % n], 0.7);
    }
    std::vector<double> best = truncated(scaled, static_cast<std::size_t>(out), n, 6);
    for (std::size_t i = 0; i < best.size(); ++i) {
      best[i] /= std::pow(magnitude[i % n], 0.7);
    }
    const LayerSolution solution =
        solved(layer.problem(), {.solver = LordSolver::kAsvd, .asvd_alpha = 0.7});
    EXPECT_LT(difference(best, whole_map(solution.factors(6), out, in)), 1e-11);
  }
}

TEST(LordSolver, UncentredLordIsTheWhitenedSvd) {
  // SVD-LLM as published: Cholesky factor S of E x x^T, SVD of W S, S^-1 on the right.
  for (const auto& [out, in] : kShapes) {
    const ToyLayer layer = toy(out, in);
    const auto m = static_cast<std::size_t>(out);
    const auto n = static_cast<std::size_t>(in);
    const int side = static_cast<int>(in);
    std::vector<double> root = layer.input.second_moment();
    ASSERT_EQ(LAPACKE_dpotrf(LAPACK_ROW_MAJOR, 'L', side, root.data(), side), 0);
    std::vector<double> weighted(m * n);
    for (std::size_t i = 0; i < m; ++i) {
      for (std::size_t j = 0; j < n; ++j) {
        for (std::size_t k = j; k < n; ++k) {
          weighted[i * n + j] += static_cast<double>(layer.weight[i * n + k]) * root[k * n + j];
        }
      }
    }
    std::vector<double> best = truncated(weighted, m, n, 6);
    // X S = K row by row: S^T x^T = k^T, and row-major S read by columns is S^T, upper.
    ASSERT_EQ(LAPACKE_dtrtrs(LAPACK_COL_MAJOR, 'U', 'N', 'N', side, static_cast<int>(out),
                             root.data(), side, best.data(), side),
              0);
    const LayerFactors whitened =
        solved(layer.problem(), {.solver = LordSolver::kWhitened}).factors(6);
    const LayerFactors uncentred =
        solved(layer.problem(), {.solver = LordSolver::kLord, .centred = false}).factors(6);
    EXPECT_LT(difference(best, whole_map(whitened, out, in)), 1e-8);
    EXPECT_LT(difference(best, whole_map(uncentred, out, in)), 1e-8);
    EXPECT_EQ(whitened.bias, in_double(layer.bias));
    EXPECT_EQ(uncentred.bias, in_double(layer.bias));
  }
}

TEST(LordSolver, EachSolverIsBetterThanTheOneBefore) {
  for (const auto& [out, in] : kShapes) {
    const ToyLayer layer = toy(out, in);
    for (const std::int64_t rank : {2, 5, 9}) {
      double former = std::numeric_limits<double>::infinity();
      for (const LordSolver solver :
           {LordSolver::kSvd, LordSolver::kAsvd, LordSolver::kWhitened, LordSolver::kLord}) {
        const LayerFactors factors = solved(layer.problem(), {.solver = solver}).factors(rank);
        const double error = measured_error(layer, factors, layer.rows).squared;
        EXPECT_LT(error, former) << out << "x" << in << " " << enum_name(solver) << " " << rank;
        former = error;
      }
      // A mean that is not put into the bias ruins what is fitted without it.
      LayerFactors ruined = solved(layer.problem(), {.solver = LordSolver::kLord}).factors(rank);
      ruined.bias = in_double(layer.bias);
      const LayerFactors whitened =
          solved(layer.problem(), {.solver = LordSolver::kWhitened}).factors(rank);
      EXPECT_GT(layer_error(layer.problem(), ruined), layer_error(layer.problem(), whitened));
    }
  }
}

TEST(LordSolver, NoMapOfThatRankIsBetterThanAffine) {
  const ToyLayer layer = toy(20, 20);
  const LayerFactors best = solved(layer.problem(), {.solver = LordSolver::kAffine}).factors(7);
  const double least = layer_error(layer.problem(), best);
  for (std::uint64_t stream = 0; stream < 20; ++stream) {
    LayerFactors near = best;
    const std::vector<float> noise = normal_values(near.a.size() + near.b.size(), 300 + stream);
    for (std::size_t i = 0; i < near.a.size(); ++i) {
      near.a[i] += 1e-3 * static_cast<double>(noise[i]);
    }
    for (std::size_t i = 0; i < near.b.size(); ++i) {
      near.b[i] += 1e-3 * static_cast<double>(noise[near.a.size() + i]);
    }
    EXPECT_GT(layer_error(layer.problem(), near), least);
    LayerFactors shifted = best;
    shifted.bias[stream] += 1e-3;
    EXPECT_GT(layer_error(layer.problem(), shifted), least);
  }
}

TEST(LordSolver, AffineIsLordWithItsNormsShared) {
  for (const auto& [out, in] : kShapes) {
    const ToyLayer layer = toy(out, in);
    const LayerFactors lord = solved(layer.problem(), {.solver = LordSolver::kLord}).factors(5);
    const LayerFactors affine = solved(layer.problem(), {.solver = LordSolver::kAffine}).factors(5);
    EXPECT_LT(difference(whole_map(lord, out, in), whole_map(affine, out, in)), 1e-12);
    EXPECT_LT(difference(lord.bias, affine.bias), 1e-12);
    for (std::size_t k = 0; k < 5; ++k) {
      double rows = 0;
      double columns = 0;
      double unit = 0;
      for (std::size_t j = 0; j < static_cast<std::size_t>(in); ++j) {
        rows += std::pow(affine.a[k * static_cast<std::size_t>(in) + j], 2);
      }
      for (std::size_t o = 0; o < static_cast<std::size_t>(out); ++o) {
        columns += std::pow(affine.b[o * 5 + k], 2);
        unit += std::pow(lord.b[o * 5 + k], 2);
      }
      EXPECT_NEAR(rows / columns, 1, 1e-9);
      EXPECT_NEAR(unit, 1, 1e-12);
    }
  }
}

TEST(LordSolver, WhiteInputsMakeAllSolversThePlainSvd) {
  // Rows +-e_j: mean zero, the Gram matrix a multiple of the identity, E|x| the same everywhere.
  std::vector<float> rows(2 * 14 * 14);
  for (std::size_t j = 0; j < 14; ++j) {
    rows[2 * j * 14 + j] = 1;
    rows[(2 * j + 1) * 14 + j] = -1;
  }
  const ToyLayer layer(9, 14, std::move(rows));
  const std::vector<double> best = truncated(in_double(layer.weight), 9, 14, 4);
  for (const LordSolver solver : kSolvers) {
    const LayerFactors factors = solved(layer.problem(), {.solver = solver}).factors(4);
    EXPECT_LT(difference(best, whole_map(factors, 9, 14)), 1e-9) << enum_name(solver);
    EXPECT_LT(difference(in_double(layer.bias), factors.bias), 1e-12);
  }
}

TEST(LordSolver, TheMeanOutputStaysAsItWas) {
  for (const auto& [out, in] : kShapes) {
    const ToyLayer layer = toy(out, in);
    for (const LordSolver solver : {LordSolver::kLord, LordSolver::kAffine}) {
      const LayerFactors factors = solved(layer.problem(), {.solver = solver}).factors(3);
      for (const double shift : measured_error(layer, factors, layer.rows).mean_shift) {
        EXPECT_NEAR(shift, 0, 1e-11);
      }
    }
  }
}

TEST(LordSolver, ABiasIsMadeOnlyWhereItIsFitted) {
  const ToyLayer layer = toy(12, 30);
  LayerProblem problem = layer.problem();
  problem.bias = {};
  for (const LordSolver solver : kSolvers) {
    const LayerSolution solution = solved(problem, {.solver = solver});
    const bool fitted = solver == LordSolver::kLord || solver == LordSolver::kAffine;
    EXPECT_EQ(solution.factors(4).bias.size(), fitted ? 12U : 0U) << enum_name(solver);
    EXPECT_EQ(solution.has_bias(), fitted);
    EXPECT_TRUE(solved(layer.problem(), {.solver = solver}).has_bias());
  }
}

void expect_sound(const ToyLayer& layer, const char* note) {
  for (const LordSolver solver : kSolvers) {
    const LayerSolution solution = solved(layer.problem(), {.solver = solver});
    EXPECT_NE(solution.note().find(note), std::string::npos) << solution.note();
    expect_falling(solution.spectrum());
    const std::int64_t full = solution.spectrum().full_rank();
    for (const std::int64_t rank : {std::int64_t{1}, full / 2, full}) {
      const LayerFactors factors = solution.factors(rank);
      const double truth = measured_error(layer, factors, layer.rows).squared;
      EXPECT_NEAR(solution.spectrum().layer_error(rank), truth,
                  1e-9 * (solution.spectrum().energy() + 1e-9))
          << enum_name(solver) << " rank " << rank;
    }
    // Also where no row has been, full rank is the weight.
    EXPECT_LT(
        difference(in_double(layer.weight), whole_map(solution.factors(full), layer.out, layer.in)),
        1e-7)
        << enum_name(solver);
  }
}

TEST(LordSolver, FewerRowsThanInputsAreEnough) {
  for (const auto& [out, in] : kShapes) {
    expect_sound({out, in, correlated_rows(7, in, 1)}, "fewer rows (7)");
    // One row has no covariance at all.
    expect_sound({out, in, correlated_rows(1, in, 1)}, "fewer rows (1)");
  }
}

TEST(LordSolver, InputsThatNeverMoveAreEnough) {
  for (const auto& [out, in] : kShapes) {
    std::vector<float> rows = correlated_rows(200, in, 1);
    for (std::size_t i = 0; i < rows.size(); ++i) {
      rows[i] = i % 3 == 0 && in % 3 == 0               ? 0.0f
                : i % static_cast<std::size_t>(in) == 1 ? 0
                                                        : rows[i];
    }
    expect_sound({out, in, std::move(rows)}, "inputs never");
    expect_sound({out, in, std::vector<float>(static_cast<std::size_t>(50 * in))}, "inputs never");
  }
}

TEST(LordSolver, ADeadWeightIsNoTrouble) {
  ToyLayer layer = toy(12, 30);
  std::fill(layer.weight.begin(), layer.weight.end(), 0.0f);
  for (const LordSolver solver : kSolvers) {
    const LayerSolution solution = solved(layer.problem(), {.solver = solver});
    EXPECT_EQ(solution.spectrum().energy(), 0);
    for (const double a : solution.factors(3).a) {
      EXPECT_EQ(a, 0);
    }
    EXPECT_LT(difference(in_double(layer.bias), solution.factors(3).bias), 1e-15);
  }
}

TEST(LordSolver, TheSameCallGivesTheSameBits) {
  const ToyLayer layer = toy(30, 12);
  const auto factors = [&] { return solved(layer.problem(), {}).factors(6); };
  EXPECT_EQ(factors().a, factors().a);
  EXPECT_EQ(factors().b, factors().b);
}

TEST(LordSolver, SaysWhatItCannotDo) {
  const ToyLayer layer = toy(12, 30);
  LayerProblem blind = layer.problem();
  blind.input = nullptr;
  EXPECT_EQ(solve_layer(blind, {.solver = LordSolver::kWhitened}).error().kind, ErrorKind::kUsage);
  const InputStatistics empty(30);
  blind.input = &empty;
  EXPECT_EQ(solve_layer(blind, {}).error().kind, ErrorKind::kData);
  const CrossStatistics cross(30);
  LayerProblem sequential = layer.problem();
  sequential.cross = &cross;
  EXPECT_EQ(solve_layer(sequential, {.solver = LordSolver::kLord}).error().kind, ErrorKind::kUsage);
  ToyLayer broken = toy(12, 30);
  broken.weight[5] = std::numeric_limits<float>::infinity();
  EXPECT_EQ(solve_layer(broken.problem(), {}).error().kind, ErrorKind::kData);
}

}  // namespace
}  // namespace lathe
