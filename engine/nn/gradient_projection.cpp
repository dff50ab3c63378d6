// Directions by the eigenvectors of a small Gram matrix in double, and the products with them.
#include "engine/nn/gradient_projection.h"

#include <cblas.h>
#include <lapacke.h>

#include <algorithm>
#include <cmath>
#include <numeric>
#include <vector>

namespace lathe {
namespace {

struct LeadingRows {
  std::vector<float> rows;  // [r, k], orthonormal
  double share = 1.0;       // of the squares of the matrix that lies along them
};

// The leading `rank` singular vectors of g [out, in] of its smaller side.
LeadingRows leading_rows(const std::vector<double>& g, int out, int in, int rank) {
  const bool right = in <= out;
  const int k = std::min(out, in);
  openblas_set_num_threads(1);  // the same bits whatever the machine's cores
  std::vector<double> gram(static_cast<std::size_t>(k) * static_cast<std::size_t>(k));
  cblas_dsyrk(CblasRowMajor, CblasUpper, right ? CblasTrans : CblasNoTrans, k, right ? out : in,
              1.0, g.data(), in, 0.0, gram.data(), k);
  std::vector<double> values(static_cast<std::size_t>(k));
  // What is the upper triangle by rows is the lower one by columns; eigenvectors, columns there,
  // are rows here, in ascending order.
  const int info = LAPACKE_dsyevd(LAPACK_COL_MAJOR, 'V', 'L', k, gram.data(), k, values.data());
  CHECK(info == 0, "the eigenvalues of a finite Gram matrix are found");
  LeadingRows leading;
  const auto width = static_cast<std::ptrdiff_t>(k);
  for (int i = k - 1; i >= k - rank; --i) {
    const auto row = gram.begin() + i * width;
    std::transform(row, row + width, std::back_inserter(leading.rows),
                   [](double value) { return static_cast<float>(value); });
  }
  const double all = std::accumulate(values.begin(), values.end(), 0.0);
  const double kept = std::accumulate(values.end() - rank, values.end(), 0.0);
  leading.share = all > 0 ? std::min(1.0, kept / all) : 1.0;
  return leading;
}

}  // namespace

GradientProjection::GradientProjection(Backend& backend, const std::string& layer,
                                       const GalorePlan& plan, const Shape& weight)
    : backend_(&backend), layer_(layer), plan_(plan), out_(weight[0]), in_(weight[1]) {
  const std::int64_t smaller = std::min(out_, in_);
  CHECK(plan.rank >= 1 && plan.rank <= smaller, "a rank is between 1 and the smaller side");
  basis_ = Tensor(backend.allocator(), DType::kF32, Shape{plan.rank, smaller},
                  Tag{Category::kOptimizer, layer, "projection"});
  ops::fill(backend, {.out = basis_, .value = 0.0f});
}

Shape GradientProjection::projected_shape() const {
  return in_ <= out_ ? Shape{out_, plan_.rank} : Shape{plan_.rank, in_};
}

void GradientProjection::begin_step(std::int64_t steps_done) {
  chooses_ = chooses_after(steps_done);
  kept_energy_.reset();
}

void GradientProjection::choose(TensorRef gradient) {
  if (!backend_->computes()) {
    return;
  }
  std::vector<float> values(static_cast<std::size_t>(gradient.elements()));
  backend_->read(gradient, values.data(), gradient.bytes());
  if (!std::all_of(values.begin(), values.end(),
                   [](float value) { return std::isfinite(value); })) {
    return;  // the step is refused for it
  }
  const LeadingRows leading = leading_rows({values.begin(), values.end()}, static_cast<int>(out_),
                                           static_cast<int>(in_), static_cast<int>(plan_.rank));
  backend_->write(basis_, leading.rows.data(), basis_.ref().bytes());
  kept_energy_ = leading.share;
}

void GradientProjection::project(TensorRef gradient, TensorRef r, float beta) {
  if (chooses_) {
    choose(gradient);
    chooses_ = false;
  }
  if (in_ <= out_) {
    ops::matmul(*backend_, {.a = gradient, .b = basis_, .c = r, .transpose_b = true, .beta = beta});
  } else {
    ops::matmul(*backend_, {.a = basis_, .b = gradient, .c = r, .beta = beta});
  }
}

void GradientProjection::add_back(TensorRef z, TensorRef weight) const {
  const auto scale = static_cast<float>(plan_.scale);
  if (in_ <= out_) {
    ops::matmul(*backend_, {.a = z, .b = basis_, .c = weight, .alpha = scale, .beta = 1.0f});
  } else {
    ops::matmul(
        *backend_,
        {.a = basis_, .b = z, .c = weight, .transpose_a = true, .alpha = scale, .beta = 1.0f});
  }
}

void GradientProjection::take_gradient(Parameter& weight) {
  const float beta = gradient_.defined() ? 1.0f : 0.0f;
  if (!gradient_.defined()) {
    gradient_ = Tensor(backend_->allocator(), DType::kF32, projected_shape(),
                       Tag{Category::kGradients, layer_, "projected"});
  }
  project(weight.gradient, gradient_, beta);
  weight.gradient.reset();
}

}  // namespace lathe
