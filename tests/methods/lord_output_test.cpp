// Layers with fewer outputs than inputs, seen from their outputs: the same solutions as from the
// inputs' whole Gram matrix.
#include <gtest/gtest.h>

#include <limits>

#include "tests/methods/lord_layer.h"

namespace lathe {
namespace {

constexpr std::int64_t kOut = 12;
constexpr std::int64_t kIn = 30;

// W x of every row, as an engine computes it.
std::vector<float> outputs_of(const ToyLayer& layer) {
  const std::vector<double> weight(layer.weight.begin(), layer.weight.end());
  std::vector<float> outputs;
  for (std::size_t at = 0; at < layer.rows.size(); at += static_cast<std::size_t>(layer.in)) {
    const std::vector<double> y = apply(weight, layer.rows.data() + at, layer.out, layer.in);
    outputs.insert(outputs.end(), y.begin(), y.end());
  }
  return outputs;
}

TEST(LordOutputs, GiveTheSolutionThatTheInputsGive) {
  for (const std::int64_t rows : {600, 20}) {  // 20: fewer than the inputs
    const ToyLayer layer(kOut, kIn, correlated_rows(rows, kIn, 1));
    OutputStatistics seen(kIn, kOut);
    ASSERT_TRUE(seen.add(layer.rows, outputs_of(layer)).ok());
    LayerProblem problem = layer.problem();
    problem.input = nullptr;
    problem.output = &seen;
    for (const LordSolver solver : {LordSolver::kSvd, LordSolver::kAsvd, LordSolver::kWhitened,
                                    LordSolver::kLord, LordSolver::kAffine}) {
      const LayerSolution wanted = solved(layer.problem(), {.solver = solver});
      const LayerSolution given = solved(problem, {.solver = solver});
      EXPECT_LT(difference(wanted.spectrum().values, given.spectrum().values), 1e-6);
      EXPECT_LT(difference(wanted.spectrum().errors, given.spectrum().errors), 1e-6);
      EXPECT_EQ(wanted.note(), given.note());
      EXPECT_EQ(wanted.has_bias(), given.has_bias());
      const LayerFactors factors = given.factors(5);
      EXPECT_LT(difference(whole_map(wanted.factors(5), kOut, kIn), whole_map(factors, kOut, kIn)),
                1e-5)
          << enum_name(solver);
      EXPECT_NEAR(given.spectrum().layer_error(5) / layer_error(layer.problem(), factors), 1, 1e-5);
    }
  }
}

TEST(LordOutputs, MergeAndNameBadRows) {
  const ToyLayer layer(kOut, kIn, correlated_rows(300, kIn, 1));
  const std::vector<float> outputs = outputs_of(layer);
  const auto rows = [&](const std::vector<float>& of, std::int64_t width, std::int64_t from,
                        std::int64_t to) {
    return std::span(of).subspan(static_cast<std::size_t>(from * width),
                                 static_cast<std::size_t>((to - from) * width));
  };
  OutputStatistics whole(kIn, kOut);
  OutputStatistics first(kIn, kOut);
  OutputStatistics second(kIn, kOut);
  ASSERT_TRUE(whole.add(layer.rows, outputs).ok());
  ASSERT_TRUE(first.add(rows(layer.rows, kIn, 0, 77), rows(outputs, kOut, 0, 77)).ok());
  ASSERT_TRUE(second.add(rows(layer.rows, kIn, 77, 300), rows(outputs, kOut, 77, 300)).ok());
  first.merge(second);
  EXPECT_EQ(first.count(), 300);
  EXPECT_LT(difference(whole.output().covariance(), first.output().covariance()), 1e-12);
  EXPECT_LT(difference(whole.input().mean(), first.input().mean()), 1e-12);
  EXPECT_LT(difference(whole.input().mean_square(), first.input().mean_square()), 1e-12);

  std::vector<float> bad = outputs;
  bad[2 * kOut + 3] = std::numeric_limits<float>::infinity();
  const Result<void> added = whole.add(layer.rows, bad);
  ASSERT_FALSE(added.ok());
  EXPECT_NE(added.error().message.find("row 2 of the outputs is infinite in column 3"),
            std::string::npos)
      << added.error().message;
  EXPECT_EQ(whole.count(), 300);
}

}  // namespace
}  // namespace lathe
