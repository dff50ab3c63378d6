// Cross-entropy mixed with the distance from a teacher, row by row.
#include <algorithm>

#include "engine/backend/cpu_ref/cpu_ref_backend.h"
#include "engine/backend/gradient_scale.h"
#include "engine/base/portable_math.h"

namespace lathe::cpu_ref {
namespace {

// Of softmax(x / temperature): what an exponent is taken from, and the sum of them.
struct Softmax {
  double top = 0;
  double sum = 0;
  double temperature = 1;

  double log_share(float x) const { return (double(x) - top) / temperature - portable::log(sum); }
  double share(float x) const { return portable::exp((double(x) - top) / temperature) / sum; }
};

Softmax softmax_of(const float* row, std::int64_t classes, double temperature) {
  Softmax softmax{.top = *std::max_element(row, row + classes), .temperature = temperature};
  for (std::int64_t i = 0; i < classes; ++i) {
    softmax.sum += portable::exp((double(row[i]) - softmax.top) / temperature);
  }
  return softmax;
}

void one_row(float* logits, const float* teacher, std::int64_t target,
             const DistillLossArgs& args) {
  const std::int64_t classes = args.logits.cols();
  const double weight = args.weight;
  const double temperature = args.temperature;
  const double scale = gradient_scale(args);
  const Softmax plain = softmax_of(logits, classes, 1.0);
  const Softmax own = softmax_of(logits, classes, temperature);
  const Softmax taught = softmax_of(teacher, classes, temperature);
  double distance = 0;
  for (std::int64_t i = 0; i < classes; ++i) {
    distance +=
        taught.share(teacher[i]) * (taught.log_share(teacher[i]) - own.log_share(logits[i]));
  }
  double* sums = args.sums.f64();
  sums[0] += (1.0 - weight) * -plain.log_share(logits[target]) +
             weight * temperature * temperature * distance;
  sums[1] += std::max_element(logits, logits + classes) == logits + target ? 1.0 : 0.0;
  sums[2] += 1.0;
  for (std::int64_t i = 0; i < classes; ++i) {
    const double hard = plain.share(logits[i]) - (i == target ? 1.0 : 0.0);
    const double soft = own.share(logits[i]) - taught.share(teacher[i]);
    logits[i] = static_cast<float>(((1.0 - weight) * hard + weight * temperature * soft) * scale);
  }
}

}  // namespace

void distill_loss(Backend&, const DistillLossArgs& args) {
  const std::int64_t classes = args.logits.cols();
  for (std::int64_t row = 0; row < args.logits.rows(); ++row) {
    float* logits = args.logits.f32() + row * classes;
    const std::int64_t target = args.targets.i32()[row];
    CHECK(target >= -1 && target < classes, "distill_loss: a target is outside the classes");
    if (target >= 0) {
      one_row(logits, args.teacher.f32() + row * classes, target, args);
    } else {
      std::fill_n(logits, classes, 0.0f);
    }
  }
}

}  // namespace lathe::cpu_ref
