// Softmax cross-entropy, one thread a row: a row stays in the cache between its passes, and the
// exponentials of the sum become the gradient in place.
#include <limits>

#include "engine/backend/cpu/cpu_backend.h"
#include "engine/backend/cpu/parallel.h"
#include "engine/backend/gradient_scale.h"
#include "engine/base/portable_math.h"

namespace lathe::cpu {
namespace {

bool wants_rows(const CrossEntropyArgs& args) {
  return args.losses.defined() || args.argmax.defined();
}

void write_row(const CrossEntropyArgs& args, std::int64_t row, double loss, std::int64_t argmax) {
  if (args.losses.defined()) {
    args.losses.f32()[row] = static_cast<float>(loss);
  }
  if (args.argmax.defined()) {
    args.argmax.i32()[row] = static_cast<std::int32_t>(argmax);
  }
}

// Returns the loss of the row.
double one_row(float* logits, std::int64_t classes, std::int64_t target, float top, float scale,
               const CrossEntropyArgs& args) {
  const double shifted = static_cast<double>(top) - static_cast<double>(logits[target]);
  if (!args.write_gradient) {
    return shifted + portable::log(kernels().exp_sum(logits, top, classes));
  }
  const double sum = kernels().exp_sum_in_place(logits, top, classes);
  kernels().scale(logits, static_cast<float>(static_cast<double>(scale) / sum), classes);
  logits[target] -= scale;
  return shifted + portable::log(sum);
}

}  // namespace

void cross_entropy(Backend& backend, const CrossEntropyArgs& args) {
  const std::int64_t classes = args.logits.cols();
  const std::int64_t rows = args.logits.rows();
  const std::int32_t* targets = args.targets.i32();
  const float scale = gradient_scale(args);
  CHECK(std::all_of(targets, targets + rows,
                    [classes](std::int32_t target) { return target >= -1 && target < classes; }),
        "cross_entropy: a target is outside the classes");
  // Per row: its loss, and 1 where the first greatest logit is the target's.
  std::vector<double>& losses = self(backend).double_scratch();
  losses.assign(static_cast<std::size_t>(2 * rows), 0.0);
  double* correct = losses.data() + rows;
  parallel_items(backend.parallelism(), rows, args.logits.elements(), [&](std::int64_t row) {
    float* logits = args.logits.f32() + row * classes;
    const std::int64_t target = targets[row];
    if (target < 0) {
      write_row(args, row, 0.0, -1);
      if (args.write_gradient) {
        std::fill_n(logits, classes, 0.0f);
      }
      return;
    }
    const bool finite = !wants_rows(args) || kernels().all_finite(logits, classes);
    const float top = kernels().row_max(logits, classes);
    const std::int64_t argmax = std::find(logits, logits + classes, top) - logits;
    correct[row] = argmax == target ? 1.0 : 0.0;
    const double loss = one_row(logits, classes, target, top, scale, args);
    losses[static_cast<std::size_t>(row)] = loss;
    write_row(args, row, finite ? loss : std::numeric_limits<double>::quiet_NaN(),
              finite ? argmax : -1);
  });
  double* sums = args.sums.f64();
  for (std::int64_t row = 0; row < rows; ++row) {
    sums[0] += losses[static_cast<std::size_t>(row)];
    sums[1] += correct[row];
    sums[2] += targets[row] >= 0 ? 1.0 : 0.0;
  }
}

}  // namespace lathe::cpu
