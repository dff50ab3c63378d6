// AdamW over threads: one pass over the four arrays.
#include "engine/backend/cpu/cpu_backend.h"
#include "engine/backend/cpu/parallel.h"
#include "engine/backend/portable_math.h"

namespace lathe::cpu {
namespace {

float correction(float beta, std::int64_t step) {
  return static_cast<float>(
      1.0 / (1.0 - portable::pow(static_cast<double>(beta), static_cast<double>(step))));
}

}  // namespace

void adamw_step(Backend& backend, const AdamwStepArgs& args) {
  const float correction1 = correction(args.beta1, args.step);
  const float correction2 = correction(args.beta2, args.step);
  parallel_ranges(backend.parallelism(), args.weight.elements(),
                  [&](std::int64_t first, std::int64_t count) {
                    kernels().adamw({.weight = args.weight.f32() + first,
                                     .gradient = args.gradient.f32() + first,
                                     .m = args.m.f32() + first,
                                     .v = args.v.f32() + first,
                                     .count = count,
                                     .lr = args.lr,
                                     .beta1 = args.beta1,
                                     .beta2 = args.beta2,
                                     .eps = args.eps,
                                     .weight_decay = args.weight_decay,
                                     .grad_scale = args.grad_scale,
                                     .correction1 = correction1,
                                     .correction2 = correction2});
                  });
}

}  // namespace lathe::cpu
