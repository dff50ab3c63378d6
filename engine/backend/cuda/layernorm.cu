// layernorm_forward, layernorm_backward.
#include "engine/backend/cuda/device/layernorm.cuh"

#include "engine/backend/cuda/column_sums.h"
#include "engine/backend/cuda/ops.h"
#include "engine/backend/cuda/rows.h"

namespace lathe::LATHE_GPU {
namespace {

float* f32_or_null(const TensorRef& tensor) {
  return tensor.defined() ? tensor.f32() : nullptr;
}

}  // namespace

void layernorm_forward(Backend& backend, const LayernormForwardArgs& args) {
  const std::int64_t rows = args.x.rows();
  const std::int64_t width = args.x.cols();
  float* const bias = f32_or_null(args.bias);
  const bool fours =
      width % 4 == 0 && aligned_to_fours({args.x.data, args.gain.data, bias, args.y.data});
  launch(backend, row_call("layernorm_forward", rows, width),
         pick_row_kernel(width, fours, layernorm_forward_kernel<4, true>,
                         layernorm_forward_kernel<1, true>, layernorm_forward_kernel<4, false>,
                         layernorm_forward_kernel<1, false>),
         args.x.f32(), args.gain.f32(), bias, args.y.f32(), f32_or_null(args.mean),
         f32_or_null(args.rstd), args.eps, rows, static_cast<int>(width));
}

void layernorm_backward(Backend& backend, const LayernormBackwardArgs& args) {
  const std::int64_t rows = args.x.rows();
  const std::int64_t width = args.x.cols();
  float* const added = f32_or_null(args.dx_add);
  const bool fours = width % 4 == 0 && aligned_to_fours({args.dy.data, args.x.data, args.gain.data,
                                                         args.dx.data, added});
  launch(backend, row_call("layernorm_backward", rows, width),
         pick_row_kernel(width, fours, layernorm_backward_kernel<4, true>,
                         layernorm_backward_kernel<1, true>, layernorm_backward_kernel<4, false>,
                         layernorm_backward_kernel<1, false>),
         args.dy.f32(), args.x.f32(), args.gain.f32(), args.mean.f32(), args.rstd.f32(), added,
         args.dx.f32(), rows, static_cast<int>(width));
  const LayernormTerms terms{
      .dy = args.dy.f32(), .x = args.x.f32(), .mean = args.mean.f32(), .rstd = args.rstd.f32()};
  add_column_sums(backend, "layernorm_backward", terms, rows, width, args.dgain.f32(),
                  f32_or_null(args.dbias));
}

}  // namespace lathe::LATHE_GPU
