// Layer norm. With xhat = (x - mean) * rstd and g = dy * gain:
// dx = rstd * (g - mean(g) - xhat * mean(g * xhat)).
#include <cmath>

#include "engine/backend/cpu_ref/cpu_ref_backend.h"

namespace lathe::cpu_ref {

void layernorm_forward(Backend&, const LayernormForwardArgs& args) {
  const std::int64_t width = args.x.cols();
  for (std::int64_t row = 0; row < args.x.rows(); ++row) {
    const float* x = args.x.f32() + row * width;
    float* y = args.y.f32() + row * width;
    double sum = 0.0;
    for (std::int64_t i = 0; i < width; ++i) {
      sum += double(x[i]);
    }
    const double mean = sum / double(width);
    double squares = 0.0;
    for (std::int64_t i = 0; i < width; ++i) {
      squares += (double(x[i]) - mean) * (double(x[i]) - mean);
    }
    const double rstd = 1.0 / std::sqrt(squares / double(width) + double(args.eps));
    for (std::int64_t i = 0; i < width; ++i) {
      const double added = args.bias.defined() ? double(args.bias.f32()[i]) : 0.0;
      y[i] = static_cast<float>((double(x[i]) - mean) * rstd * double(args.gain.f32()[i]) + added);
    }
    if (args.mean.defined()) {
      args.mean.f32()[row] = static_cast<float>(mean);
    }
    if (args.rstd.defined()) {
      args.rstd.f32()[row] = static_cast<float>(rstd);
    }
  }
}

void layernorm_backward(Backend&, const LayernormBackwardArgs& args) {
  const std::int64_t width = args.x.cols();
  const auto at = [&](const TensorRef& x, std::int64_t row, std::int64_t i) {
    return double(x.f32()[row * width + i]);
  };
  const auto xhat = [&](std::int64_t row, std::int64_t i) {
    return (at(args.x, row, i) - double(args.mean.f32()[row])) * double(args.rstd.f32()[row]);
  };
  for (std::int64_t row = 0; row < args.x.rows(); ++row) {
    double plain = 0.0;
    double product = 0.0;
    for (std::int64_t i = 0; i < width; ++i) {
      const double g = at(args.dy, row, i) * double(args.gain.f32()[i]);
      plain += g;
      product += g * xhat(row, i);
    }
    for (std::int64_t i = 0; i < width; ++i) {
      const double g = at(args.dy, row, i) * double(args.gain.f32()[i]);
      const double dx = double(args.rstd.f32()[row]) *
                        (g - plain / double(width) - xhat(row, i) * product / double(width));
      const double added = args.dx_add.defined() ? at(args.dx_add, row, i) : 0.0;
      args.dx.f32()[row * width + i] = static_cast<float>(dx + added);
    }
  }
  for (std::int64_t i = 0; i < width; ++i) {
    double dgain = args.dgain.f32()[i];
    double dbias = args.dbias.defined() ? double(args.dbias.f32()[i]) : 0.0;
    for (std::int64_t row = 0; row < args.x.rows(); ++row) {
      dgain += at(args.dy, row, i) * xhat(row, i);
      dbias += at(args.dy, row, i);
    }
    args.dgain.f32()[i] = static_cast<float>(dgain);
    if (args.dbias.defined()) {
      args.dbias.f32()[i] = static_cast<float>(dbias);
    }
  }
}

}  // namespace lathe::cpu_ref
