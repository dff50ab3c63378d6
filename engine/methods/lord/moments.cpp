// Moments of a problem, and the error of any candidate under them.
#include "engine/methods/lord/moments.h"

#include <algorithm>

#include "engine/base/check.h"

namespace lathe {
namespace {

// The trace of a m b^T for a, b [rows, n] and m [n, n]; an empty m is the identity.
double weighted_product(const Matrix& a, const Matrix& m, const Matrix& b, std::int64_t rows,
                        std::int64_t n) {
  const Matrix am = m.empty() ? a : product(a, m, rows, n, n);
  double sum = 0;
  for (std::size_t i = 0; i < b.size(); ++i) {
    sum += am[i] * b[i];
  }
  return sum;
}

}  // namespace

LayerMoments moments_of(const LayerProblem& problem, bool centred) {
  const auto moment = [&](const auto& of) {
    return centred ? of.covariance() : of.second_moment();
  };
  if (const CrossStatistics* both = problem.cross) {
    return {.input = moment(both->compressed()),
            .cross = moment(*both),
            .target = moment(both->dense()),
            .input_mean = both->compressed().mean(),
            .target_mean = both->dense().mean()};
  }
  if (problem.input != nullptr) {
    return {.input = moment(*problem.input),
            .cross = {},
            .target = {},
            .input_mean = problem.input->mean(),
            .target_mean = problem.input->mean()};
  }
  const std::vector<double> zero(static_cast<std::size_t>(problem.in));
  return {.input = {}, .cross = {}, .target = {}, .input_mean = zero, .target_mean = zero};
}

double layer_error(const LayerProblem& problem, const LayerFactors& candidate) {
  const std::int64_t m = problem.out;
  const std::int64_t n = problem.in;
  CHECK(candidate.a.size() == static_cast<std::size_t>(candidate.rank * n) &&
            candidate.b.size() == static_cast<std::size_t>(m * candidate.rank),
        "factors of the problem's shape");
  const BlasOnAllCores cores;
  const LayerMoments moments = moments_of(problem, true);
  const Matrix weight(problem.weight.begin(), problem.weight.end());
  const Matrix map = product(candidate.b, candidate.a, m, n, candidate.rank);
  double error = 0;
  if (moments.cross.empty()) {
    Matrix rest = weight;
    for (std::size_t i = 0; i < rest.size(); ++i) {
      rest[i] -= map[i];
    }
    error = weighted_product(rest, moments.input, rest, m, n);
  } else {
    error = weighted_product(weight, moments.target, weight, m, n) -
            2 * weighted_product(weight, moments.cross, map, m, n) +
            weighted_product(map, moments.input, map, m, n);
  }
  error = std::max(0.0, error);  // of a quadratic form whose matrix is only nearly semidefinite
  const std::vector<double> wanted = times_vector(weight, moments.target_mean, m, n);
  const std::vector<double> given = times_vector(map, moments.input_mean, m, n);
  for (std::size_t i = 0; i < wanted.size(); ++i) {
    const double b = problem.bias.empty() ? 0 : static_cast<double>(problem.bias[i]);
    const double new_b = candidate.bias.empty() ? 0 : candidate.bias[i];
    const double shift = wanted[i] + b - given[i] - new_b;
    error += shift * shift;
  }
  return error;
}

}  // namespace lathe
