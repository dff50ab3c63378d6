// The few dense products and factorisations that the solvers need, in double, on OpenBLAS and
// LAPACK. Matrices are row-major vectors; their sides travel beside them.
#pragma once

#include <cstdint>
#include <optional>
#include <span>
#include <vector>

namespace lathe {

using Matrix = std::vector<double>;

// OpenBLAS's number of threads while it lives, the former one afterwards. The number belongs to the
// whole process (training sets it to 1), so lives of two threads must not overlap.
class BlasThreads {
 public:
  explicit BlasThreads(int count);
  static BlasThreads on_all_cores();
  ~BlasThreads();
  BlasThreads(const BlasThreads&) = delete;
  BlasThreads& operator=(const BlasThreads&) = delete;

 private:
  int former_;
};

// upper += a^T a for a [rows, cols]; only the upper triangle of upper [cols, cols] is touched. By
// tiles on all cores, each computed by one: the same bits for any number of them.
void add_gram(const double* a, std::int64_t rows, std::int64_t cols, Matrix& upper);

// into [m, n] += a^T b for a [rows, m], b [rows, n]; as add_gram.
void add_product(const double* a, const double* b, std::int64_t rows, std::int64_t m,
                 std::int64_t n, Matrix& into);

// Copies the upper triangle of a [n, n] to the lower.
void mirror_upper(Matrix& a, std::int64_t n);

// a b [m, n] of a [m, k] and b [k, n]; a b^T of a [m, k] and b [n, k].
Matrix product(const Matrix& a, const Matrix& b, std::int64_t m, std::int64_t n, std::int64_t k);
Matrix product_transposed(const Matrix& a, const Matrix& b, std::int64_t m, std::int64_t n,
                          std::int64_t k);
// a x [m] of a [m, n].
std::vector<double> times_vector(const Matrix& a, const std::vector<double>& x, std::int64_t m,
                                 std::int64_t n);
// a a^T [rows, rows] and a^T a [cols, cols] of a [rows, cols].
Matrix row_gram(const Matrix& a, std::int64_t rows, std::int64_t cols);
Matrix column_gram(const Matrix& a, std::int64_t rows, std::int64_t cols);

struct EigenPairs {
  std::vector<double> values;  // descending
  Matrix vectors;              // row i belongs to values[i]; orthonormal
};

// Of a symmetric a [n, n] (dsyevd). Empty where LAPACK does not converge.
std::optional<EigenPairs> symmetric_eigen(Matrix a, std::int64_t n);

// Orthonormal rows with, for each k, the same span of the first k (Householder QR): exact also
// where rows are tiny. rows <= cols.
Matrix orthonormal_rows(Matrix a, std::int64_t rows, std::int64_t cols);

// Replaces each row of b [rows, n] by itself times the inverse of the symmetric a [n, n]; false,
// leaving b, where a is not positive definite (Cholesky).
bool divide_rows(Matrix& b, std::int64_t rows, Matrix a, std::int64_t n);

// Upper triangular U [n, n] with a^-1 = U^T U, for a symmetric a; empty where it is not positive
// definite.
std::optional<Matrix> inverse_upper_factor(Matrix a, std::int64_t n);

}  // namespace lathe
