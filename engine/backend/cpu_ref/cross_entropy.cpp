// Softmax cross-entropy of rows: loss = log(sum exp(x)) - x[target].
#include <algorithm>
#include <cmath>
#include <limits>

#include "engine/backend/cpu_ref/cpu_ref_backend.h"
#include "engine/backend/gradient_scale.h"
#include "engine/base/portable_math.h"

namespace lathe::cpu_ref {
namespace {

struct RowResult {
  double loss = 0;
  std::int32_t argmax = -1;
};

// The row's own outputs, before its logits become a gradient.
void write_row(const CrossEntropyArgs& args, std::int64_t row, bool finite, RowResult result) {
  if (!finite) {
    result = {.loss = std::numeric_limits<double>::quiet_NaN(), .argmax = -1};
  }
  if (args.losses.defined()) {
    args.losses.f32()[row] = static_cast<float>(result.loss);
  }
  if (args.argmax.defined()) {
    args.argmax.i32()[row] = result.argmax;
  }
}

RowResult one_row(float* logits, std::int64_t classes, std::int64_t target,
                  const CrossEntropyArgs& args) {
  const float* top = std::max_element(logits, logits + classes);
  const double offset = *top;
  double sum = 0.0;
  for (std::int64_t i = 0; i < classes; ++i) {
    sum += portable::exp(double(logits[i]) - offset);
  }
  const RowResult result{.loss = portable::log(sum) + offset - double(logits[target]),
                         .argmax = static_cast<std::int32_t>(top - logits)};
  double* sums = args.sums.f64();
  sums[0] += result.loss;
  sums[1] += result.argmax == target ? 1.0 : 0.0;
  sums[2] += 1.0;
  if (!args.write_gradient) {
    return result;
  }
  const double scale = gradient_scale(args);
  for (std::int64_t i = 0; i < classes; ++i) {
    const double p = portable::exp(double(logits[i]) - offset) / sum;
    logits[i] = static_cast<float>((p - (i == target ? 1.0 : 0.0)) * scale);
  }
  return result;
}

}  // namespace

void cross_entropy(Backend&, const CrossEntropyArgs& args) {
  const std::int64_t classes = args.logits.cols();
  for (std::int64_t row = 0; row < args.logits.rows(); ++row) {
    float* logits = args.logits.f32() + row * classes;
    const std::int64_t target = args.targets.i32()[row];
    CHECK(target >= -1 && target < classes, "cross_entropy: a target is outside the classes");
    const bool finite =
        std::all_of(logits, logits + classes, [](float x) { return std::isfinite(x); });
    write_row(args, row, finite || target < 0,
              target >= 0 ? one_row(logits, classes, target, args) : RowResult{});
    if (target >= 0) {
      continue;
    }
    if (args.write_gradient) {
      std::fill_n(logits, classes, 0.0f);
    }
  }
}

}  // namespace lathe::cpu_ref
