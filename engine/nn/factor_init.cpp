// Leading factors through the Gram matrix.
#include "engine/nn/factor_init.h"

#include <cblas.h>
#include <lapacke.h>

#include <algorithm>
#include <cmath>
#include <functional>
#include <numeric>

#include "engine/backend/random_values.h"
#include "engine/base/check.h"

namespace lathe {
namespace {

// The leading `rank` eigenvectors of the symmetric n x n `gram`, as columns of the result [n, rank]
// in ascending order of their eigenvalues; `values` gets the eigenvalues.
std::vector<float> leading_eigenvectors(std::vector<float> gram, int n, int rank,
                                        std::vector<float>& values) {
  std::vector<float> vectors(static_cast<std::size_t>(n) * static_cast<std::size_t>(rank));
  std::vector<int> support(2 * static_cast<std::size_t>(n));
  values.assign(static_cast<std::size_t>(n), 0.0f);
  int found = 0;
  const int info =
      LAPACKE_ssyevr(LAPACK_ROW_MAJOR, 'V', 'I', 'U', n, gram.data(), n, 0.0f, 0.0f, n - rank + 1,
                     n, 0.0f, &found, values.data(), vectors.data(), rank, support.data());
  CHECK(info == 0 && found == rank, "the eigenvalues of a finite Gram matrix are found");
  return vectors;
}

// Scales column j of m [rows, cols] by factors[j].
void scale_columns(std::vector<float>& m, int rows, int cols, const std::vector<float>& factors) {
  for (int i = 0; i < rows; ++i) {
    for (int j = 0; j < cols; ++j) {
      m[static_cast<std::size_t>(i) * static_cast<std::size_t>(cols) +
        static_cast<std::size_t>(j)] *= factors[static_cast<std::size_t>(j)];
    }
  }
}

}  // namespace

FactorPair leading_factors(const std::vector<float>& w, std::int64_t out, std::int64_t in,
                           std::int64_t rank) {
  const int m = static_cast<int>(out);
  const int n = static_cast<int>(in);
  const int r = static_cast<int>(rank);
  const int small = std::min(m, n);
  CHECK(r >= 1 && r <= small, "a rank is between 1 and the smaller side");
  openblas_set_num_threads(1);  // the same bits whatever the machine's cores
  const bool wide = m <= n;
  std::vector<float> gram(static_cast<std::size_t>(small) * static_cast<std::size_t>(small));
  cblas_ssyrk(CblasRowMajor, CblasUpper, wide ? CblasNoTrans : CblasTrans, small, wide ? n : m,
              1.0f, w.data(), n, 0.0f, gram.data(), small);
  std::vector<float> values;
  const std::vector<float> q = leading_eigenvectors(std::move(gram), small, r, values);
  // Singular value s = sqrt(eigenvalue); each factor carries sqrt(s) = eigenvalue^(1/4).
  std::vector<float> up(static_cast<std::size_t>(r));
  std::vector<float> down(static_cast<std::size_t>(r));
  for (std::size_t j = 0; j < up.size(); ++j) {
    up[j] = std::sqrt(std::sqrt(std::max(values[j], 1e-20f)));
    down[j] = 1.0f / up[j];
  }
  FactorPair factors;
  factors.a.resize(static_cast<std::size_t>(rank * in));
  factors.b.resize(static_cast<std::size_t>(out * rank));
  std::vector<float> scaled = q;
  scale_columns(scaled, small, r, down);
  if (wide) {  // q = U [m, r]: B = U S^1/2, A = S^-1/2 U^T W
    factors.b = q;
    scale_columns(factors.b, m, r, up);
    cblas_sgemm(CblasRowMajor, CblasTrans, CblasNoTrans, r, n, m, 1.0f, scaled.data(), r, w.data(),
                n, 0.0f, factors.a.data(), n);
  } else {  // q = V [n, r]: B = W V S^-1/2, A = S^1/2 V^T
    cblas_sgemm(CblasRowMajor, CblasNoTrans, CblasNoTrans, m, r, n, 1.0f, w.data(), n,
                scaled.data(), r, 0.0f, factors.b.data(), r);
    for (int j = 0; j < r; ++j) {
      for (int i = 0; i < n; ++i) {
        factors.a[static_cast<std::size_t>(j) * static_cast<std::size_t>(n) +
                  static_cast<std::size_t>(i)] =
            q[static_cast<std::size_t>(i) * static_cast<std::size_t>(r) +
              static_cast<std::size_t>(j)] *
            up[static_cast<std::size_t>(j)];
      }
    }
  }
  return factors;
}

std::vector<float> leading_direction(const std::vector<float>& gram, std::int64_t n) {
  if (!std::all_of(gram.begin(), gram.end(), [](float value) { return std::isfinite(value); })) {
    const auto share = static_cast<float>(1.0 / std::sqrt(static_cast<double>(n)));
    return std::vector<float>(static_cast<std::size_t>(n), share);
  }
  openblas_set_num_threads(1);  // the same bits whatever the machine's cores
  std::vector<float> values;
  std::vector<float> leading = leading_eigenvectors(gram, static_cast<int>(n), 1, values);
  if (std::accumulate(leading.begin(), leading.end(), 0.0) < 0.0) {
    std::transform(leading.begin(), leading.end(), leading.begin(), std::negate<>());
  }
  return leading;
}

FactorPair spectral_factors(std::int64_t out, std::int64_t in, std::int64_t rank, double init_std,
                            std::uint64_t seed, std::uint64_t stream) {
  std::vector<float> w(static_cast<std::size_t>(out * in));
  const RandomFillArgs dense_start{.out = {w.data(), DType::kF32, Shape{out, in}},
                                   .seed = seed,
                                   .stream = stream,
                                   .stddev = static_cast<float>(init_std)};
  write_random_values(dense_start, 0, out * in);
  return leading_factors(w, out, in, rank);
}

}  // namespace lathe
