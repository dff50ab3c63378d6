// Thin names over CBLAS and LAPACKE, and tiles where OpenBLAS's own threads do worse: they are many
// small products in a row, between passes of a model, and those threads wait by spinning.
#include "engine/methods/lord/linear_algebra.h"

#include <cblas.h>
#include <lapacke.h>

#include <algorithm>
#include <vector>

#include "engine/base/check.h"

namespace lathe {
namespace {

int side(std::int64_t n) {
  CHECK(n >= 1 && n <= 1 << 24, "a side of a matrix that LAPACK can count");
  return static_cast<int>(n);
}

std::size_t size_of(std::int64_t rows, std::int64_t cols) {
  return static_cast<std::size_t>(rows) * static_cast<std::size_t>(cols);
}

// A part of a product's result.
struct Tile {
  std::int64_t row, col, rows, cols;
};

// Calls work(tile) for those of [m, n], on all cores.
template <typename Work>
void for_each_tile(std::int64_t m, std::int64_t n, const Work& work) {
  constexpr std::int64_t kSide = 192;  // two operands of 256 rows and the result fill an L2 cache
  std::vector<Tile> tiles;
  for (std::int64_t row = 0; row < m; row += kSide) {
    for (std::int64_t col = 0; col < n; col += kSide) {
      tiles.push_back({row, col, std::min(kSide, m - row), std::min(kSide, n - col)});
    }
  }
  const BlasThreads one(1);
#pragma omp parallel for schedule(dynamic)
  for (std::size_t i = 0; i < tiles.size(); ++i) {
    work(tiles[i]);
  }
}

}  // namespace

BlasThreads::BlasThreads(int count) : former_(openblas_get_num_threads()) {
  openblas_set_num_threads(count);
}

BlasThreads BlasThreads::on_all_cores() {
  return BlasThreads(openblas_get_num_procs());
}

BlasThreads::~BlasThreads() {
  openblas_set_num_threads(former_);
}

void add_gram(const double* a, std::int64_t rows, std::int64_t cols, Matrix& upper) {
  const int width = side(cols);
  const int count = side(rows);
  for_each_tile(cols, cols, [&](const Tile& tile) {
    double* to = upper.data() + tile.row * cols + tile.col;
    if (tile.row == tile.col) {
      cblas_dsyrk(CblasRowMajor, CblasUpper, CblasTrans, side(tile.cols), count, 1.0, a + tile.col,
                  width, 1.0, to, width);
    } else if (tile.row < tile.col) {
      cblas_dgemm(CblasRowMajor, CblasTrans, CblasNoTrans, side(tile.rows), side(tile.cols), count,
                  1.0, a + tile.row, width, a + tile.col, width, 1.0, to, width);
    }
  });
}

void add_product(const double* a, const double* b, std::int64_t rows, std::int64_t m,
                 std::int64_t n, Matrix& into) {
  for_each_tile(m, n, [&](const Tile& tile) {
    cblas_dgemm(CblasRowMajor, CblasTrans, CblasNoTrans, side(tile.rows), side(tile.cols),
                side(rows), 1.0, a + tile.row, side(m), b + tile.col, side(n), 1.0,
                into.data() + tile.row * n + tile.col, side(n));
  });
}

void mirror_upper(Matrix& a, std::int64_t n) {
  const auto width = static_cast<std::size_t>(n);
  for (std::size_t i = 1; i < width; ++i) {
    for (std::size_t j = 0; j < i; ++j) {
      a[i * width + j] = a[j * width + i];
    }
  }
}

Matrix product(const Matrix& a, const Matrix& b, std::int64_t m, std::int64_t n, std::int64_t k) {
  Matrix c(size_of(m, n));
  cblas_dgemm(CblasRowMajor, CblasNoTrans, CblasNoTrans, side(m), side(n), side(k), 1.0, a.data(),
              side(k), b.data(), side(n), 0.0, c.data(), side(n));
  return c;
}

Matrix product_transposed(const Matrix& a, const Matrix& b, std::int64_t m, std::int64_t n,
                          std::int64_t k) {
  Matrix c(size_of(m, n));
  cblas_dgemm(CblasRowMajor, CblasNoTrans, CblasTrans, side(m), side(n), side(k), 1.0, a.data(),
              side(k), b.data(), side(k), 0.0, c.data(), side(n));
  return c;
}

std::vector<double> times_vector(const Matrix& a, const std::vector<double>& x, std::int64_t m,
                                 std::int64_t n) {
  std::vector<double> y(static_cast<std::size_t>(m));
  cblas_dgemv(CblasRowMajor, CblasNoTrans, side(m), side(n), 1.0, a.data(), side(n), x.data(), 1,
              0.0, y.data(), 1);
  return y;
}

Matrix row_gram(const Matrix& a, std::int64_t rows, std::int64_t cols) {
  Matrix gram(size_of(rows, rows));
  cblas_dsyrk(CblasRowMajor, CblasUpper, CblasNoTrans, side(rows), side(cols), 1.0, a.data(),
              side(cols), 0.0, gram.data(), side(rows));
  mirror_upper(gram, rows);
  return gram;
}

Matrix column_gram(const Matrix& a, std::int64_t rows, std::int64_t cols) {
  Matrix gram(size_of(cols, cols));
  add_gram(a.data(), rows, cols, gram);
  mirror_upper(gram, cols);
  return gram;
}

std::optional<EigenPairs> symmetric_eigen(Matrix a, std::int64_t n) {
  const auto width = static_cast<std::size_t>(n);
  EigenPairs pairs{.values = std::vector<double>(width), .vectors = std::move(a)};
  // Column-major eigenvectors are the rows of our layout.
  if (LAPACKE_dsyevd(LAPACK_COL_MAJOR, 'V', 'U', side(n), pairs.vectors.data(), side(n),
                     pairs.values.data()) != 0) {
    return std::nullopt;
  }
  std::reverse(pairs.values.begin(), pairs.values.end());
  for (std::size_t i = 0; i < width / 2; ++i) {
    const auto row = [&](std::size_t at) {
      return pairs.vectors.begin() + static_cast<std::ptrdiff_t>(at * width);
    };
    std::swap_ranges(row(i), row(i + 1), row(width - 1 - i));
  }
  return pairs;
}

Matrix orthonormal_rows(Matrix a, std::int64_t rows, std::int64_t cols) {
  CHECK(rows <= cols, "no more orthonormal rows than columns");
  // Read column-major, our rows are the columns that QR makes orthonormal.
  std::vector<double> reflectors(static_cast<std::size_t>(rows));
  int info = LAPACKE_dgeqrf(LAPACK_COL_MAJOR, side(cols), side(rows), a.data(), side(cols),
                            reflectors.data());
  CHECK(info == 0, "QR of finite rows");
  info = LAPACKE_dorgqr(LAPACK_COL_MAJOR, side(cols), side(rows), side(rows), a.data(), side(cols),
                        reflectors.data());
  CHECK(info == 0, "Q of a QR");
  return a;
}

bool divide_rows(Matrix& b, std::int64_t rows, Matrix a, std::int64_t n) {
  if (LAPACKE_dpotrf(LAPACK_COL_MAJOR, 'U', side(n), a.data(), side(n)) != 0) {
    return false;
  }
  const int info = LAPACKE_dpotrs(LAPACK_COL_MAJOR, 'U', side(n), side(rows), a.data(), side(n),
                                  b.data(), side(n));
  CHECK(info == 0, "a solve with a Cholesky factor");
  return true;
}

// What is the lower triangle by columns, as LAPACK sees it, is the upper one by rows.
std::optional<Matrix> inverse_upper_factor(Matrix a, std::int64_t n) {
  if (LAPACKE_dpotrf(LAPACK_COL_MAJOR, 'L', side(n), a.data(), side(n)) != 0 ||
      LAPACKE_dpotri(LAPACK_COL_MAJOR, 'L', side(n), a.data(), side(n)) != 0 ||
      LAPACKE_dpotrf(LAPACK_COL_MAJOR, 'L', side(n), a.data(), side(n)) != 0) {
    return std::nullopt;
  }
  for (std::int64_t i = 1; i < n; ++i) {
    std::fill_n(a.begin() + i * n, i, 0.0);
  }
  return a;
}

}  // namespace lathe
