// Softmax cross-entropy of rows: loss = log(sum exp(x)) - x[target].
#include <algorithm>

#include "engine/backend/cpu_ref/cpu_ref_backend.h"
#include "engine/backend/portable_math.h"

namespace lathe::cpu_ref {
namespace {

void one_row(float* logits, std::int64_t classes, std::int64_t target,
             const CrossEntropyArgs& args) {
  const float* top = std::max_element(logits, logits + classes);
  const double offset = *top;
  double sum = 0.0;
  for (std::int64_t i = 0; i < classes; ++i) {
    sum += portable::exp(double(logits[i]) - offset);
  }
  args.sums->loss += portable::log(sum) + offset - double(logits[target]);
  args.sums->correct += top - logits == target ? 1 : 0;
  args.sums->counted += 1;
  if (!args.write_gradient) {
    return;
  }
  for (std::int64_t i = 0; i < classes; ++i) {
    const double p = portable::exp(double(logits[i]) - offset) / sum;
    logits[i] = static_cast<float>((p - (i == target ? 1.0 : 0.0)) * double(args.grad_scale));
  }
}

}  // namespace

void cross_entropy(Backend&, const CrossEntropyArgs& args) {
  const std::int64_t classes = args.logits.cols();
  for (std::int64_t row = 0; row < args.logits.rows(); ++row) {
    float* logits = args.logits.f32() + row * classes;
    const std::int64_t target = args.targets.i32()[row];
    CHECK(target >= -1 && target < classes, "cross_entropy: a target is outside the classes");
    if (target >= 0) {
      one_row(logits, classes, target, args);
    } else if (args.write_gradient) {
      std::fill_n(logits, classes, 0.0f);
    }
  }
}

}  // namespace lathe::cpu_ref
