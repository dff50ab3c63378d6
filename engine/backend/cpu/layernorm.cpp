// Layer norm over threads.
#include "engine/backend/cpu/row_blocks.h"

namespace lathe::cpu {

void layernorm_forward(Backend& backend, const LayernormForwardArgs& args) {
  const std::int64_t width = args.x.cols();
  parallel_items(backend.parallelism(), args.x.rows(), args.x.elements(), [&](std::int64_t row) {
    kernels().layernorm_forward({.x = args.x.f32() + row * width,
                                 .gain = args.gain.f32(),
                                 .bias = args.bias.defined() ? args.bias.f32() : nullptr,
                                 .y = args.y.f32() + row * width,
                                 .mean = args.mean.defined() ? args.mean.f32() + row : nullptr,
                                 .rstd = args.rstd.defined() ? args.rstd.f32() + row : nullptr,
                                 .width = width,
                                 .eps = args.eps});
  });
}

void layernorm_backward(Backend& backend, const LayernormBackwardArgs& args) {
  const std::int64_t width = args.x.cols();
  const bool with_bias = args.dbias.defined();
  const auto one_row = [&](std::int64_t row, float* sums) {
    kernels().layernorm_backward(
        {.dy = args.dy.f32() + row * width,
         .x = args.x.f32() + row * width,
         .gain = args.gain.f32(),
         .dx_add = args.dx_add.defined() ? args.dx_add.f32() + row * width : nullptr,
         .dx = args.dx.f32() + row * width,
         .dgain_sums = sums,
         .dbias_sums = with_bias ? sums + width : nullptr,
         .width = width,
         .mean = args.mean.f32()[row],
         .rstd = args.rstd.f32()[row]});
  };
  std::vector<TensorRef> gradients{args.dgain};
  if (with_bias) {
    gradients.push_back(args.dbias);
  }
  sum_rows(backend, args.x.rows(), with_bias ? 2 * width : width, args.x.elements(), one_row,
           gradients);
}

void bias_add(Backend& backend, const BiasAddArgs& args) {
  const std::int64_t width = args.x.cols();
  parallel_items(backend.parallelism(), args.x.rows(), args.x.elements(), [&](std::int64_t row) {
    float* x = args.x.f32() + row * width;
    kernels().add(x, args.bias.f32(), x, width);
  });
}

void bias_backward(Backend& backend, const BiasBackwardArgs& args) {
  const std::int64_t width = args.dy.cols();
  const auto one_row = [&](std::int64_t row, float* sums) {
    kernels().add(sums, args.dy.f32() + row * width, sums, width);
  };
  sum_rows(backend, args.dy.rows(), width, args.dy.elements(), one_row, {args.dbias});
}

}  // namespace lathe::cpu
