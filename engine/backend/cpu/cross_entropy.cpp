// Softmax cross-entropy, one thread a row: a row stays in the cache between its passes, and the
// exponentials of the sum become the gradient in place.
#include "engine/backend/cpu/cpu_backend.h"
#include "engine/backend/cpu/parallel.h"
#include "engine/backend/portable_math.h"

namespace lathe::cpu {
namespace {

// True if `target` is the first index of the greatest logit.
bool is_argmax(const float* logits, std::int64_t target, float top) {
  return logits[target] == top && std::find(logits, logits + target, top) == logits + target;
}

// Returns the loss of the row.
double one_row(float* logits, std::int64_t classes, std::int64_t target, float top,
               const CrossEntropyArgs& args) {
  const double shifted = static_cast<double>(top) - static_cast<double>(logits[target]);
  if (!args.write_gradient) {
    return shifted + portable::log(kernels().exp_sum(logits, top, classes));
  }
  const double sum = kernels().exp_sum_in_place(logits, top, classes);
  kernels().scale(logits, static_cast<float>(static_cast<double>(args.grad_scale) / sum), classes);
  logits[target] -= args.grad_scale;
  return shifted + portable::log(sum);
}

}  // namespace

void cross_entropy(Backend& backend, const CrossEntropyArgs& args) {
  const std::int64_t classes = args.logits.cols();
  const std::int64_t rows = args.logits.rows();
  const std::int32_t* targets = args.targets.i32();
  CHECK(std::all_of(targets, targets + rows,
                    [classes](std::int32_t target) { return target >= -1 && target < classes; }),
        "cross_entropy: a target is outside the classes");
  // Per row: its loss, and 1 where the greatest logit is the target's.
  std::vector<double>& losses = self(backend).double_scratch();
  losses.assign(static_cast<std::size_t>(2 * rows), 0.0);
  double* correct = losses.data() + rows;
  parallel_items(backend.parallelism(), rows, args.logits.elements(), [&](std::int64_t row) {
    float* logits = args.logits.f32() + row * classes;
    const std::int64_t target = targets[row];
    if (target < 0) {
      if (args.write_gradient) {
        std::fill_n(logits, classes, 0.0f);
      }
      return;
    }
    const float top = kernels().row_max(logits, classes);
    correct[row] = is_argmax(logits, target, top) ? 1.0 : 0.0;
    losses[static_cast<std::size_t>(row)] = one_row(logits, classes, target, top, args);
  });
  for (std::int64_t row = 0; row < rows; ++row) {
    args.sums->loss += losses[static_cast<std::size_t>(row)];
    args.sums->correct += correct[row] > 0.0 ? 1 : 0;
    args.sums->counted += targets[row] >= 0 ? 1 : 0;
  }
}

}  // namespace lathe::cpu
