// Factors of a given rank, cut out of a solution.
#include <algorithm>
#include <cmath>
#include <numeric>

#include "engine/base/check.h"
#include "engine/methods/lord/linear_algebra.h"
#include "engine/methods/lord/solver.h"

namespace lathe {

LayerFactors LayerSolution::factors(std::int64_t rank) const {
  CHECK(rank >= 1 && rank <= spectrum_.full_rank(), "a rank that the layer has");
  const auto r = static_cast<std::size_t>(rank);
  const auto m = static_cast<std::size_t>(out_);
  const auto n = static_cast<std::size_t>(in_);
  LayerFactors factors{.rank = rank,
                       .a = {mapped_.begin(), mapped_.begin() + static_cast<std::ptrdiff_t>(r * n)},
                       .b = Matrix(m * r),
                       .bias = bias_};
  for (std::size_t i = 0; i < r; ++i) {
    double* row = factors.a.data() + i * n;
    const double norm = std::sqrt(std::inner_product(row, row + n, row, 0.0));
    const double up = balanced_ && norm > 0 ? std::sqrt(norm) : 1;
    std::for_each(row, row + n, [up](double& a) { a /= up; });
    for (std::size_t o = 0; o < m; ++o) {
      factors.b[o * r + i] = directions_[i * m + o] * up;
    }
  }
  if (!mean_output_.empty()) {  // b' = b + W E x - B A E x': the mean output stays as it was
    factors.bias.resize(m);
    for (std::size_t o = 0; o < m; ++o) {
      double shift = mean_output_[o];
      for (std::size_t i = 0; i < r; ++i) {
        shift -= directions_[i * m + o] * mean_hidden_[i];
      }
      factors.bias[o] += shift;
    }
  }
  return factors;
}

}  // namespace lathe
