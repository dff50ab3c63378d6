// See columns.h.
#include "engine/methods/quant/columns.h"

#include <algorithm>
#include <cmath>
#include <numeric>

namespace lathe {
namespace {

// A moment that is not positive definite is damped ten times as much, so often.
constexpr int kDampings = 5;

std::vector<std::int64_t> order_of(const Matrix& moment, std::int64_t in, bool by_activity) {
  std::vector<std::int64_t> order(static_cast<std::size_t>(in));
  std::iota(order.begin(), order.end(), 0);
  if (by_activity) {
    std::stable_sort(order.begin(), order.end(), [&](std::int64_t a, std::int64_t b) {
      return moment[static_cast<std::size_t>(a * in + a)] >
             moment[static_cast<std::size_t>(b * in + b)];
    });
  }
  return order;
}

// The moment in that order, inputs that are always 0 set apart by a 1, with `damp` on its diagonal.
Matrix damped(const Matrix& moment, const std::vector<std::int64_t>& order, double damp) {
  const auto n = static_cast<std::int64_t>(order.size());
  Matrix h(moment.size());
  double trace = 0;
  for (std::int64_t i = 0; i < n; ++i) {
    for (std::int64_t j = 0; j < n; ++j) {
      h[static_cast<std::size_t>(i * n + j)] = moment[static_cast<std::size_t>(
          order[static_cast<std::size_t>(i)] * n + order[static_cast<std::size_t>(j)])];
    }
    trace += h[static_cast<std::size_t>(i * n + i)];
  }
  for (std::int64_t i = 0; i < n; ++i) {
    double& at = h[static_cast<std::size_t>(i * n + i)];
    at = at > 0 ? at + damp * trace / static_cast<double>(n) : 1;
  }
  return h;
}

}  // namespace

Result<Columns> columns_of(const Matrix& moment, std::int64_t in, double damp, bool by_activity) {
  for (const double value : moment) {
    if (!std::isfinite(value)) {
      return Error{ErrorKind::kData, "the inputs' second moment has values that are not finite",
                   "calibrate on other text"};
    }
  }
  Columns columns{.order = order_of(moment, in, by_activity), .factor = {}};
  for (int attempt = 0; attempt < kDampings; ++attempt, damp = std::max(10 * damp, 1e-6)) {
    const auto upper = inverse_upper_factor(damped(moment, columns.order, damp), in);
    if (upper) {
      columns.factor.assign(upper->begin(), upper->end());
      return columns;
    }
  }
  return Error{ErrorKind::kData,
               "the inputs' second moment has no inverse, damped by " + std::to_string(damp) +
                   " of its mean",
               "calibrate on more samples, or raise damp"};
}

}  // namespace lathe
