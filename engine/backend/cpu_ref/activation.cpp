// SwiGLU and the plain activations with their derivatives.
#include <algorithm>
#include <cmath>

#include "engine/backend/cpu_ref/cpu_ref_backend.h"
#include "engine/base/portable_math.h"

namespace lathe::cpu_ref {
namespace {

constexpr double kInverseSqrt2 = 0.70710678118654752440;
// sqrt(2 / pi), and the cubic term of GELU by tanh.
constexpr double kSqrt2OverPi = 0.79788456080286535588;
constexpr double kCubic = 0.044715;
constexpr double kInverseSqrt2Pi = 0.39894228040143267794;

double sigmoid(double x) {
  return 1.0 / (1.0 + portable::exp(-x));
}

// d/dx (x sigmoid(x))
double silu_slope(double x) {
  const double s = sigmoid(x);
  return s * (1.0 + x * (1.0 - s));
}

double value(Activation kind, double x) {
  switch (kind) {
    case Activation::kNone:
      return x;
    case Activation::kRelu:
      return x < 0.0 ? 0.0 : x;
    case Activation::kGelu:
      return 0.5 * x * (1.0 + portable::erf(x * kInverseSqrt2));
    case Activation::kSilu:
      return x * sigmoid(x);
    case Activation::kTanh:
      return portable::tanh(x);
    case Activation::kGeluTanh:
      return 0.5 * x * (1.0 + portable::tanh(kSqrt2OverPi * (x + kCubic * x * x * x)));
  }
  return x;
}

double slope(Activation kind, double x) {
  switch (kind) {
    case Activation::kNone:
      return 1.0;
    case Activation::kRelu:
      return x > 0.0 ? 1.0 : 0.0;
    case Activation::kGelu:
      return 0.5 * (1.0 + portable::erf(x * kInverseSqrt2)) +
             x * kInverseSqrt2Pi * portable::exp(-0.5 * x * x);
    case Activation::kSilu:
      return silu_slope(x);
    case Activation::kTanh: {
      const double y = portable::tanh(x);
      return 1.0 - y * y;
    }
    case Activation::kGeluTanh: {
      const double y = portable::tanh(kSqrt2OverPi * (x + kCubic * x * x * x));
      return 0.5 * (1.0 + y) +
             0.5 * x * (1.0 - y * y) * kSqrt2OverPi * (1.0 + 3.0 * kCubic * x * x);
    }
  }
  return 1.0;
}

}  // namespace

void swiglu_forward(Backend&, const SwigluForwardArgs& args) {
  for (std::int64_t i = 0; i < args.h.elements(); ++i) {
    const double gate = args.gate.f32()[i];
    args.h.f32()[i] = static_cast<float>(gate * sigmoid(gate) * double(args.up.f32()[i]));
  }
}

void swiglu_backward(Backend&, const SwigluBackwardArgs& args) {
  for (std::int64_t i = 0; i < args.dh.elements(); ++i) {
    const double gate = args.gate.f32()[i];
    const double up = args.up.f32()[i];
    const double dh = args.dh.f32()[i];
    const double silu = gate * sigmoid(gate);
    args.dgate.f32()[i] = static_cast<float>(dh * up * silu_slope(gate));
    args.dup.f32()[i] = static_cast<float>(dh * silu);
    if (args.h.defined()) {
      args.h.f32()[i] = static_cast<float>(silu * up);
    }
  }
}

void activation_forward(Backend&, const ActivationForwardArgs& args) {
  for (std::int64_t i = 0; i < args.y.elements(); ++i) {
    args.y.f32()[i] = static_cast<float>(value(args.kind, double(args.x.f32()[i])));
  }
}

void activation_backward(Backend&, const ActivationBackwardArgs& args) {
  for (std::int64_t i = 0; i < args.dx.elements(); ++i) {
    args.dx.f32()[i] =
        static_cast<float>(double(args.dy.f32()[i]) * slope(args.kind, double(args.x.f32()[i])));
  }
}

}  // namespace lathe::cpu_ref
