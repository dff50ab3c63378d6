// RMSNorm over threads.
#include "engine/backend/cpu/row_blocks.h"

namespace lathe::cpu {

void rmsnorm_forward(Backend& backend, const RmsnormForwardArgs& args) {
  const std::int64_t width = args.x.cols();
  parallel_items(backend.parallelism(), args.x.rows(), args.x.elements(), [&](std::int64_t row) {
    const float rstd = kernels().rmsnorm_forward(args.x.f32() + row * width, args.gain.f32(),
                                                 args.y.f32() + row * width, width, args.eps);
    if (args.rstd.defined()) {
      args.rstd.f32()[row] = rstd;
    }
  });
}

void rmsnorm_backward(Backend& backend, const RmsnormBackwardArgs& args) {
  const std::int64_t width = args.x.cols();
  const auto one_row = [&](std::int64_t row, float* sums) {
    kernels().rmsnorm_backward(
        {.dy = args.dy.f32() + row * width,
         .x = args.x.f32() + row * width,
         .gain = args.gain.f32(),
         .dx_add = args.dx_add.defined() ? args.dx_add.f32() + row * width : nullptr,
         .dx = args.dx.f32() + row * width,
         .dgain_sums = sums,
         .width = width,
         .rstd = args.rstd.f32()[row]});
  };
  sum_rows(backend, args.x.rows(), width, args.x.elements(), one_row, {args.dgain});
}

}  // namespace lathe::cpu
