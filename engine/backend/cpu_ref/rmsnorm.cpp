// RMSNorm. With xhat = x * rstd: dx = rstd * (dy * gain - xhat * mean(dy * gain * xhat)).
#include <cmath>

#include "engine/backend/cpu_ref/cpu_ref_backend.h"

namespace lathe::cpu_ref {

void rmsnorm_forward(Backend&, const RmsnormForwardArgs& args) {
  const std::int64_t width = args.x.cols();
  for (std::int64_t row = 0; row < args.x.rows(); ++row) {
    const float* x = args.x.f32() + row * width;
    float* y = args.y.f32() + row * width;
    double squares = 0.0;
    for (std::int64_t i = 0; i < width; ++i) {
      squares += double(x[i]) * double(x[i]);
    }
    const double rstd = 1.0 / std::sqrt(squares / double(width) + double(args.eps));
    for (std::int64_t i = 0; i < width; ++i) {
      y[i] = static_cast<float>(double(x[i]) * rstd * double(args.gain.f32()[i]));
    }
    if (args.rstd.defined()) {
      args.rstd.f32()[row] = static_cast<float>(rstd);
    }
  }
}

void rmsnorm_backward(Backend&, const RmsnormBackwardArgs& args) {
  const std::int64_t width = args.x.cols();
  const float* gain = args.gain.f32();
  for (std::int64_t row = 0; row < args.x.rows(); ++row) {
    const float* x = args.x.f32() + row * width;
    const float* dy = args.dy.f32() + row * width;
    const double rstd = args.rstd.f32()[row];
    double product = 0.0;
    for (std::int64_t i = 0; i < width; ++i) {
      product += double(dy[i]) * double(gain[i]) * double(x[i]) * rstd;
    }
    const double mean = product / double(width);
    for (std::int64_t i = 0; i < width; ++i) {
      const double dx = rstd * (double(dy[i]) * double(gain[i]) - double(x[i]) * rstd * mean);
      const double added = args.dx_add.defined() ? double(args.dx_add.f32()[row * width + i]) : 0.0;
      args.dx.f32()[row * width + i] = static_cast<float>(dx + added);
    }
  }
  for (std::int64_t i = 0; i < width; ++i) {
    double sum = args.dgain.f32()[i];
    for (std::int64_t row = 0; row < args.x.rows(); ++row) {
      sum += double(args.dy.f32()[row * width + i]) * double(args.x.f32()[row * width + i]) *
             double(args.rstd.f32()[row]);
    }
    args.dgain.f32()[i] = static_cast<float>(sum);
  }
}

}  // namespace lathe::cpu_ref
