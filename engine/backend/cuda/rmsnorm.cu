// rmsnorm_forward, rmsnorm_backward.
#include "engine/backend/cuda/device/rmsnorm.cuh"

#include "engine/backend/cuda/column_sums.h"
#include "engine/backend/cuda/ops.h"
#include "engine/backend/cuda/rows.h"

namespace lathe::LATHE_GPU {

void rmsnorm_forward(Backend& backend, const RmsnormForwardArgs& args) {
  const std::int64_t rows = args.x.rows();
  const std::int64_t width = args.x.cols();
  const bool fours = width % 4 == 0 && aligned_to_fours({args.x.data, args.gain.data, args.y.data});
  launch(backend, row_call("rmsnorm_forward", rows, width),
         pick_row_kernel(width, fours, rmsnorm_forward_kernel<4, true>,
                         rmsnorm_forward_kernel<1, true>, rmsnorm_forward_kernel<4, false>,
                         rmsnorm_forward_kernel<1, false>),
         args.x.f32(), args.gain.f32(), args.y.f32(),
         args.rstd.defined() ? args.rstd.f32() : nullptr, args.eps, rows, static_cast<int>(width));
}

void rmsnorm_backward(Backend& backend, const RmsnormBackwardArgs& args) {
  const std::int64_t rows = args.x.rows();
  const std::int64_t width = args.x.cols();
  float* const added = args.dx_add.defined() ? args.dx_add.f32() : nullptr;
  const bool fours = width % 4 == 0 && aligned_to_fours({args.dy.data, args.x.data, args.gain.data,
                                                         args.dx.data, added});
  launch(backend, row_call("rmsnorm_backward", rows, width),
         pick_row_kernel(width, fours, rmsnorm_backward_kernel<4, true>,
                         rmsnorm_backward_kernel<1, true>, rmsnorm_backward_kernel<4, false>,
                         rmsnorm_backward_kernel<1, false>),
         args.dy.f32(), args.x.f32(), args.gain.f32(), args.rstd.f32(), added, args.dx.f32(), rows,
         static_cast<int>(width));
  const RmsnormTerms terms{.dy = args.dy.f32(), .x = args.x.f32(), .rstd = args.rstd.f32()};
  add_column_sums(backend, "rmsnorm_backward", terms, rows, width, args.dgain.f32(), nullptr);
}

}  // namespace lathe::LATHE_GPU
