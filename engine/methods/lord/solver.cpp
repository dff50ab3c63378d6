// Directions, their order, and what each is worth. U comes from the smaller of two eigenproblems:
// that of W P W^T [out, out] (known as it is where the outputs were looked at), or that of the
// right Gram matrix [in, in], carried over by a QR.
#include "engine/methods/lord/solver.h"

#include <algorithm>
#include <cmath>
#include <limits>
#include <numeric>

#include "engine/base/check.h"
#include "engine/methods/lord/moments.h"

namespace lathe {
namespace {

// Added to the diagonal of what weighs the directions, as a share of its mean: directions that the
// rows never showed are ordered by the weight, and no root or quotient is taken of zero.
constexpr double kFloor = 1e-10;
// The same against the mean square of inputs whose variance is rounding noise beside their mean.
constexpr double kNoise = 1e-14;

// Of a moment's diagonal, which rounding may leave below zero.
double mean_of(const std::vector<double>& diagonal) {
  double sum = 0;
  for (const double square : diagonal) {
    sum += std::max(0.0, square);
  }
  return sum / static_cast<double>(diagonal.size());
}

void add_diagonal(Matrix& a, std::int64_t n, double value) {
  for (std::int64_t i = 0; i < n; ++i) {
    a[static_cast<std::size_t>(i * n + i)] += value;
  }
}

// Column j of a times by[j].
void scale_columns(Matrix& a, const std::vector<double>& by) {
  for (std::size_t i = 0; i < a.size(); ++i) {
    a[i] *= by[i % by.size()];
  }
}

// Row by row, sum over j of a[i][j] b[i][j].
std::vector<double> row_products(const Matrix& a, const Matrix& b, std::size_t rows) {
  std::vector<double> sums(rows);
  const std::size_t width = rows == 0 ? 0 : a.size() / rows;
  for (std::size_t i = 0; i < rows; ++i) {
    sums[i] = std::inner_product(a.begin() + static_cast<std::ptrdiff_t>(i * width),
                                 a.begin() + static_cast<std::ptrdiff_t>((i + 1) * width),
                                 b.begin() + static_cast<std::ptrdiff_t>(i * width), 0.0);
  }
  return sums;
}

bool all_finite(std::span<const float> values) {
  return std::all_of(values.begin(), values.end(), [](float x) { return std::isfinite(x); });
}

void add_note(std::string& note, const std::string& text) {
  note += (note.empty() ? "" : "; ") + text;
}

Error unsolved() {
  return {ErrorKind::kFailed, "LAPACK (dsyevd) found no eigenvalues of the layer's Gram matrix",
          "check the layer for values of extreme size"};
}

// What weighs the input side: nothing, one number per column, or a matrix P, given as it is or as
// what it makes of the outputs.
struct InputMetric {
  std::vector<double> scale;
  Matrix full;       // P
  Matrix of_output;  // map P map^T
};

}  // namespace

class LayerSolver {
 public:
  LayerSolver(const LayerProblem& problem, const LordSolverOptions& options)
      : problem_(problem), options_(options), m_(problem.out), n_(problem.in) {}

  Result<LayerSolution> solve();

 private:
  Result<void> check() const;
  bool centred() const {
    return options_.centred &&
           (options_.solver == LordSolver::kLord || options_.solver == LordSolver::kAffine);
  }
  std::int64_t full_rank() const { return std::min(m_, n_); }
  bool has_statistics() const {
    return problem_.input != nullptr || problem_.output != nullptr || problem_.cross != nullptr;
  }
  double mean_square() const;
  void note_gaps();
  void correct_weight();
  InputMetric metric();
  bool find_directions(const InputMetric& metric);
  std::optional<Matrix> weighted_map(const InputMetric& metric) const;
  void measure(const InputMetric& metric);
  void set_means();

  const LayerProblem& problem_;
  const LordSolverOptions& options_;
  std::int64_t m_;
  std::int64_t n_;
  LayerMoments moments_;
  Matrix weight_;  // W
  Matrix map_;     // the best map of full rank: W, or what reads x' instead of x
  LayerSolution solution_;
};

Result<void> LayerSolver::check() const {
  CHECK(m_ >= 1 && n_ >= 1 && problem_.weight.size() == static_cast<std::size_t>(m_ * n_),
        "a weight of the problem's sides");
  CHECK(problem_.bias.empty() || problem_.bias.size() == static_cast<std::size_t>(m_),
        "a bias of the problem's outputs");
  const std::string name(enum_name(options_.solver));
  if (problem_.cross != nullptr && options_.solver != LordSolver::kAffine) {
    return Error{ErrorKind::kUsage, "solver " + name + " cannot fit to inputs of compressed layers",
                 "choose affine, or give it the statistics of one model only"};
  }
  if (!has_statistics() && options_.solver != LordSolver::kSvd) {
    return Error{ErrorKind::kUsage, "solver " + name + " needs statistics of the layer's inputs",
                 "give it calibration data, or choose svd"};
  }
  const std::int64_t width = problem_.cross != nullptr    ? problem_.cross->width()
                             : problem_.output != nullptr ? problem_.output->input().width()
                             : problem_.input != nullptr  ? problem_.input->width()
                                                          : n_;
  CHECK(width == n_, "statistics as wide as the layer's input");
  CHECK(problem_.output == nullptr || (problem_.output->output().width() == m_ && m_ <= n_),
        "outputs looked at of a layer that has no more of them than inputs");
  if (has_statistics() && rows_of(problem_) == 0) {
    return Error{ErrorKind::kData, "no calibration row has reached the layer",
                 "give at least one sample that is not empty"};
  }
  if (!all_finite(problem_.weight) || !all_finite(problem_.bias)) {
    return Error{ErrorKind::kData, "the layer's weight or bias holds a value that is not finite",
                 "use another copy of the model"};
  }
  return {};
}

// E x_j'^2, mean over j.
double LayerSolver::mean_square() const {
  double square = mean_of(moments_.diagonal);
  if (centred()) {
    const std::vector<double>& mean = moments_.input_mean;
    square +=
        std::inner_product(mean.begin(), mean.end(), mean.begin(), 0.0) / static_cast<double>(n_);
  }
  return square;
}

void LayerSolver::note_gaps() {
  if (!has_statistics()) {
    return;
  }
  const std::int64_t rows = rows_of(problem_);
  if (rows < n_) {
    add_note(solution_.note_, "fewer rows (" + std::to_string(rows) + ") than inputs (" +
                                  std::to_string(n_) +
                                  "): the rest of the directions follow the weight alone");
  }
  const double least = kNoise * mean_square();
  const auto still = std::count_if(moments_.diagonal.begin(), moments_.diagonal.end(),
                                   [least](double square) { return square <= least; });
  if (still > 0) {
    add_note(solution_.note_, std::to_string(still) + " of " + std::to_string(n_) +
                                  " inputs never " + (centred() ? "change" : "differ from zero"));
  }
}

// The best map from x' to W x: W + W (E x x'^T - E x' x'^T) (E x' x'^T + ridge)^-1. Written as a
// correction of W, it leaves W as it is where x' was never seen, and exactly where x' is x.
void LayerSolver::correct_weight() {
  map_ = weight_;
  if (moments_.cross.empty()) {
    return;
  }
  Matrix gap = moments_.cross;
  for (std::size_t i = 0; i < gap.size(); ++i) {
    gap[i] -= moments_.input[i];
  }
  Matrix correction = product(weight_, gap, m_, n_, n_);
  const double unit = mean_of(moments_.diagonal);
  const double least = kFloor * unit + kNoise * mean_square();
  if (least <= 0) {
    return;  // x' is zero: there is nothing to read
  }
  double ridge = std::max(options_.ridge * unit, least);
  for (int attempt = 0;; ++attempt) {
    Matrix raised = moments_.input;
    add_diagonal(raised, n_, ridge);
    if (divide_rows(correction, m_, std::move(raised), n_)) {
      break;
    }
    CHECK(attempt < 20, "a diagonal far above the matrix makes it positive definite");
    ridge *= 10;
    if (attempt == 0) {
      add_note(solution_.note_, "the ridge was raised until the inputs' moment was definite");
    }
  }
  for (std::size_t i = 0; i < map_.size(); ++i) {
    map_[i] += correction[i];
  }
}

InputMetric LayerSolver::metric() {
  if (options_.solver == LordSolver::kSvd) {
    return {};
  }
  InputMetric metric;
  if (options_.solver == LordSolver::kAsvd) {
    metric.scale =
        (problem_.output != nullptr ? problem_.output->input() : problem_.input->columns())
            .mean_magnitude();
    double mean = 0;
    for (double& scale : metric.scale) {
      scale = std::pow(scale, options_.asvd_alpha);
      mean += scale / static_cast<double>(n_);
    }
    for (double& scale : metric.scale) {
      scale = mean > 0 ? std::max(scale, std::sqrt(kFloor) * mean) : 1;
    }
    return metric;
  }
  const double floor = kFloor * mean_of(moments_.diagonal) + kNoise * mean_square();
  if (floor <= 0) {
    add_note(solution_.note_, "all inputs are zero: the weight alone decides");
    return {};
  }
  if (!moments_.output.empty()) {
    metric.of_output = row_gram(map_, m_, n_);
    for (std::size_t i = 0; i < metric.of_output.size(); ++i) {
      metric.of_output[i] = moments_.output[i] + floor * metric.of_output[i];
    }
    return metric;
  }
  metric.full = moments_.input;
  add_diagonal(metric.full, n_, floor);
  return metric;
}

// K with K K^T = map P map^T; empty where LAPACK gives up.
std::optional<Matrix> LayerSolver::weighted_map(const InputMetric& metric) const {
  if (metric.full.empty()) {
    Matrix scaled = map_;
    if (!metric.scale.empty()) {
      scale_columns(scaled, metric.scale);
    }
    return scaled;
  }
  std::optional<EigenPairs> pairs = symmetric_eigen(metric.full, n_);
  if (!pairs) {
    return std::nullopt;
  }
  std::vector<double> roots = std::move(pairs->values);
  const double floor = kNoise * roots.front();
  for (double& root : roots) {
    root = std::sqrt(std::max(root, floor));
  }
  Matrix weighted = product_transposed(map_, pairs->vectors, m_, n_, n_);
  scale_columns(weighted, roots);
  return weighted;
}

// U^T into solution_.directions_.
bool LayerSolver::find_directions(const InputMetric& metric) {
  if (m_ <= n_) {
    Matrix gram;
    if (!metric.of_output.empty()) {
      gram = metric.of_output;
    } else if (metric.full.empty()) {
      gram = row_gram(*weighted_map(metric), m_, n_);
    } else {
      gram = product_transposed(product(map_, metric.full, m_, n_, n_), map_, m_, m_, n_);
    }
    std::optional<EigenPairs> pairs = symmetric_eigen(std::move(gram), m_);
    if (!pairs) {
      return false;
    }
    solution_.directions_ = std::move(pairs->vectors);
    return true;
  }
  const std::optional<Matrix> weighted = weighted_map(metric);
  if (!weighted) {
    return false;
  }
  const std::optional<EigenPairs> pairs = symmetric_eigen(column_gram(*weighted, m_, n_), n_);
  if (!pairs) {
    return false;
  }
  // Rows of Z^T K^T are U^T times the singular values: QR makes them U^T, however small those are.
  solution_.directions_ =
      orthonormal_rows(product_transposed(pairs->vectors, *weighted, n_, m_, n_), n_, m_);
  return true;
}

// The spectrum from U: direction i alone takes 2 u W C y^T - y P y^T off the layer error, with
// y = u map, P the moment of x' and C that of x and x'; the parts of orthonormal directions add up.
void LayerSolver::measure(const InputMetric& metric) {
  const std::int64_t p = full_rank();
  const auto count = static_cast<std::size_t>(p);
  solution_.mapped_ = product(solution_.directions_, map_, p, n_, m_);
  const Matrix& mapped = solution_.mapped_;
  std::vector<double> gains;
  if (!moments_.output.empty()) {
    const Matrix& directions = solution_.directions_;
    gains = row_products(product(directions, moments_.output, p, m_, m_), directions, count);
  } else {
    const Matrix& moment = moments_.input;
    gains =
        row_products(moment.empty() ? mapped : product(mapped, moment, p, n_, n_), mapped, count);
  }
  std::vector<double> values = gains;
  if (options_.solver == LordSolver::kSvd || options_.solver == LordSolver::kAsvd) {
    Matrix scaled = mapped;
    if (!metric.scale.empty()) {
      scale_columns(scaled, metric.scale);
    }
    values = row_products(scaled, scaled, count);
  }
  double rest = 0;  // what full rank still loses
  if (moments_.cross.empty()) {
    for (double& gain : gains) {
      gain = std::max(0.0, gain);
    }
  } else {
    const Matrix wanted = product(solution_.directions_, weight_, p, n_, m_);
    const std::vector<double> shared =
        row_products(product(wanted, moments_.cross, p, n_, n_), mapped, count);
    for (std::size_t i = 0; i < count; ++i) {
      gains[i] = 2 * shared[i] - gains[i];
    }
    const std::vector<double> total = row_products(product(weight_, moments_.target, m_, n_, n_),
                                                   weight_, static_cast<std::size_t>(m_));
    rest = std::max(0.0, std::accumulate(total.begin(), total.end(), 0.0) -
                             std::accumulate(gains.begin(), gains.end(), 0.0));
  }
  LayerSpectrum& spectrum = solution_.spectrum_;
  spectrum.values.resize(count);
  spectrum.errors.assign(count + 1, rest);
  for (std::size_t i = count; i-- > 0;) {
    spectrum.errors[i] = spectrum.errors[i + 1] + gains[i];
  }
  double former = std::numeric_limits<double>::infinity();
  for (std::size_t i = 0; i < count; ++i) {  // rounding may swap neighbours that are equal
    former = std::min(former, std::max(0.0, values[i]));
    spectrum.values[i] = former;
  }
}

void LayerSolver::set_means() {
  solution_.bias_.assign(problem_.bias.begin(), problem_.bias.end());
  if (centred()) {
    solution_.mean_output_ = times_vector(weight_, moments_.target_mean, m_, n_);
    solution_.mean_hidden_ = times_vector(solution_.mapped_, moments_.input_mean, full_rank(), n_);
  }
}

Result<LayerSolution> LayerSolver::solve() {
  if (Result<void> checked = check(); !checked) {
    return checked.error();
  }
  const BlasThreads cores = BlasThreads::on_all_cores();
  moments_ = moments_of(problem_, centred());
  weight_.assign(problem_.weight.begin(), problem_.weight.end());
  solution_.out_ = m_;
  solution_.in_ = n_;
  solution_.balanced_ = options_.solver != LordSolver::kLord;
  note_gaps();
  correct_weight();
  const InputMetric weighing = metric();
  if (!find_directions(weighing)) {
    return unsolved();
  }
  measure(weighing);
  set_means();
  return std::move(solution_);
}

Result<LayerSolution> solve_layer(const LayerProblem& problem, const LordSolverOptions& options) {
  return LayerSolver(problem, options).solve();
}

}  // namespace lathe
