// adamw_step.
#include "engine/backend/cuda/device/optimizer.cuh"

#include "engine/backend/cuda/alignment.h"
#include "engine/backend/cuda/launch.h"
#include "engine/backend/cuda/ops.h"
#include "engine/backend/portable_math.h"

namespace lathe::LATHE_GPU {

void adamw_step(Backend& backend, const AdamwStepArgs& args) {
  const std::int64_t count = args.weight.elements();
  const double beta1 = args.beta1;
  const double beta2 = args.beta2;
  const auto correction = [&](double beta) {
    return static_cast<float>(1.0 / (1.0 - portable::pow(beta, static_cast<double>(args.step))));
  };
  const AdamwFactors factors{.keep1 = args.beta1,
                             .add1 = static_cast<float>(1.0 - beta1),
                             .keep2 = args.beta2,
                             .add2 = static_cast<float>(1.0 - beta2),
                             .correction1 = correction(beta1),
                             .correction2 = correction(beta2),
                             .lr = args.lr,
                             .eps = args.eps,
                             .decay = args.weight_decay,
                             .grad_scale = args.grad_scale};
  const bool fours =
      aligned_to_fours({args.weight.data, args.gradient.data, args.m.data, args.v.data});
  const KernelCall call{.op = "adamw_step",
                        .grid = strided_blocks(fours ? (count + 3) / 4 : count, kBlockThreads),
                        .block = kBlockThreads};
  launch(backend, call, fours ? adamw_kernel<4> : adamw_kernel<1>, args.weight.f32(),
         args.gradient.f32(), args.m.f32(), args.v.f32(), factors, count);
}

}  // namespace lathe::LATHE_GPU
