// Cross-entropy mixed with the distance from a teacher, one thread a row: both rows stay in the
// cache between their passes, which take the exponentials again rather than keep them.
#include "engine/backend/cpu/cpu_backend.h"
#include "engine/backend/cpu/parallel.h"
#include "engine/backend/gradient_scale.h"
#include "engine/base/portable_math.h"

namespace lathe::cpu {
namespace {

// Returns the loss of the row.
double one_row(DistillRow row, std::int64_t target, const DistillLossArgs& args) {
  const Kernels& k = kernels();
  const double weight = args.weight;
  const double temperature = args.temperature;
  const double grad_scale = gradient_scale(args);
  const double plain = k.scaled_exp_sum(row.logits, row.top, 1.0f, row.count);
  const double own = k.scaled_exp_sum(row.logits, row.top, row.inverse_temperature, row.count);
  const double taught =
      k.scaled_exp_sum(row.teacher, row.teacher_top, row.inverse_temperature, row.count);
  const double distance =
      k.distill_distance(row) / taught + (portable::log(own) - portable::log(taught));
  const double entropy =
      portable::log(plain) + static_cast<double>(row.top) - static_cast<double>(row.logits[target]);
  row.plain_share = static_cast<float>((1.0 - weight) * grad_scale / plain);
  row.own_share = static_cast<float>(weight * temperature * grad_scale / own);
  row.taught_share = static_cast<float>(weight * temperature * grad_scale / taught);
  k.distill_gradient(row);
  row.logits[target] -= static_cast<float>((1.0 - weight) * grad_scale);
  return (1.0 - weight) * entropy + weight * temperature * temperature * distance;
}

}  // namespace

void distill_loss(Backend& backend, const DistillLossArgs& args) {
  const std::int64_t classes = args.logits.cols();
  const std::int64_t rows = args.logits.rows();
  const std::int32_t* targets = args.targets.i32();
  CHECK(std::all_of(targets, targets + rows,
                    [classes](std::int32_t target) { return target >= -1 && target < classes; }),
        "distill_loss: a target is outside the classes");
  // Per row: its loss, and 1 where the first greatest logit is the target's.
  std::vector<double>& losses = self(backend).double_scratch();
  losses.assign(static_cast<std::size_t>(2 * rows), 0.0);
  double* correct = losses.data() + rows;
  parallel_items(backend.parallelism(), rows, args.logits.elements(), [&](std::int64_t at) {
    DistillRow row{.logits = args.logits.f32() + at * classes,
                   .teacher = args.teacher.f32() + at * classes,
                   .count = classes,
                   .inverse_temperature = 1.0f / args.temperature};
    const std::int64_t target = targets[at];
    if (target < 0) {
      std::fill_n(row.logits, classes, 0.0f);
      return;
    }
    row.top = kernels().row_max(row.logits, classes);
    row.teacher_top = kernels().row_max(row.teacher, classes);
    correct[at] = std::find(row.logits, row.logits + classes, row.top) == row.logits + target;
    losses[static_cast<std::size_t>(at)] = one_row(row, target, args);
  });
  double* sums = args.sums.f64();
  for (std::int64_t row = 0; row < rows; ++row) {
    sums[0] += losses[static_cast<std::size_t>(row)];
    sums[1] += correct[row];
    sums[2] += targets[row] >= 0 ? 1.0 : 0.0;
  }
}

}  // namespace lathe::cpu
