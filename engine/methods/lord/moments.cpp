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

std::vector<double> diagonal_of(const Matrix& a, std::size_t n) {
  std::vector<double> diagonal(n);
  for (std::size_t i = 0; i < n; ++i) {
    diagonal[i] = a[i * n + i];
  }
  return diagonal;
}

// Of columns alone.
std::vector<double> squares_of(const ColumnSums& columns, bool centred) {
  std::vector<double> squares = columns.mean_square();
  const std::vector<double> mean = columns.mean();
  for (std::size_t i = 0; centred && i < squares.size(); ++i) {
    squares[i] -= mean[i] * mean[i];
  }
  return squares;
}

}  // namespace

std::int64_t rows_of(const LayerProblem& problem) {
  return problem.cross != nullptr    ? problem.cross->count()
         : problem.output != nullptr ? problem.output->count()
         : problem.input != nullptr  ? problem.input->count()
                                     : 0;
}

LayerMoments moments_of(const LayerProblem& problem, bool centred) {
  const auto moment = [&](const auto& of) {
    return centred ? of.covariance() : of.second_moment();
  };
  const auto width = static_cast<std::size_t>(problem.in);
  LayerMoments moments;
  if (const CrossStatistics* both = problem.cross) {
    moments.input = moment(both->compressed());
    moments.cross = moment(*both);
    moments.target = moment(both->dense());
    moments.input_mean = both->compressed().mean();
    moments.target_mean = both->dense().mean();
  } else if (problem.output != nullptr) {
    moments.output = moment(problem.output->output());
    moments.diagonal = squares_of(problem.output->input(), centred);
    moments.input_mean = problem.output->input().mean();
    moments.target_mean = moments.input_mean;
    return moments;
  } else if (problem.input != nullptr) {
    moments.input = moment(*problem.input);
    moments.input_mean = problem.input->mean();
    moments.target_mean = moments.input_mean;
  } else {
    moments.input_mean.resize(width);
    moments.target_mean.resize(width);
    return moments;
  }
  moments.diagonal = diagonal_of(moments.input, width);
  return moments;
}

double layer_error(const LayerProblem& problem, const LayerFactors& candidate) {
  const std::int64_t m = problem.out;
  const std::int64_t n = problem.in;
  CHECK(candidate.a.size() == static_cast<std::size_t>(candidate.rank * n) &&
            candidate.b.size() == static_cast<std::size_t>(m * candidate.rank),
        "factors of the problem's shape");
  CHECK(problem.output == nullptr, "any candidate's error takes the inputs' whole Gram matrix");
  const BlasThreads cores = BlasThreads::on_all_cores();
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
