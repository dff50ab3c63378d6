// Sums, activations, SwiGLU, AdamW and rounding over ranges of elements.
#include "engine/backend/cpu/simd/copies.h"
#include "engine/backend/cpu/simd/vector.h"
#include "engine/quant/half.h"

namespace lathe::cpu::LATHE_ISA {
namespace {

using Double [[gnu::vector_size(LATHE_LANES * 8)]] = double;

constexpr float kInverseSqrt2 = 0.70710678118654752440f;
constexpr float kSqrt2OverPi = 0.79788456080286535588f;
constexpr float kCubic = 0.044715f;  // of GELU by tanh
constexpr float kInverseSqrt2Pi = 0.39894228040143267794f;

inline Vector sqrt_of(Vector x) {
  for (std::int64_t i = 0; i < kLanes; ++i) {
    x[i] = __builtin_sqrtf(x[i]);
  }
  return x;
}

// tanh: odd polynomial near zero, 1 - 2 / (exp(2 |x|) + 1) beyond (Cephes, tanhf).
inline Vector tanh_of(Vector x) {
  const Vector square = x * x;
  Vector p = splat(-5.70498872745e-3f);
  p = p * square + 2.06390887954e-2f;
  p = p * square - 5.37397155531e-2f;
  p = p * square + 1.33314422036e-1f;
  p = p * square - 3.33332819422e-1f;
  const Vector small = p * square * x + x;
  const Vector e = exp_of(-2.0f * absolute(x));
  const Vector large = with_sign((1.0f - e) / (1.0f + e), x);
  return select(absolute(x) < 0.625f, small, large);
}

// The normal distribution's cumulative function, from the complementary error function of Press et
// al. (Numerical Recipes, 6.2.2: relative error below 1.2e-7 everywhere), so that the tail of a
// very negative x keeps its digits.
inline Vector normal_cdf(Vector x) {
  const Vector z = absolute(x) * kInverseSqrt2;
  const Vector t = 1.0f / (1.0f + 0.5f * z);
  Vector p = splat(0.17087277f);
  p = p * t - 0.82215223f;
  p = p * t + 1.48851587f;
  p = p * t - 1.13520398f;
  p = p * t + 0.27886807f;
  p = p * t - 0.18628806f;
  p = p * t + 0.09678418f;
  p = p * t + 0.37409196f;
  p = p * t + 1.00002368f;
  p = p * t - 1.26551223f;
  const Vector tail = 0.5f * t * exp_of(p - z * z);
  return select(x < 0.0f, tail, 1.0f - tail);
}

inline Vector silu_slope(Vector x) {
  const Vector s = sigmoid_of(x);
  return s * (1.0f + x * (1.0f - s));
}

inline Vector value_of(Activation kind, Vector x) {
  switch (kind) {
    case Activation::kNone:
      return x;
    case Activation::kRelu:
      return select(x < 0.0f, Vector{}, x);
    case Activation::kGelu:
      return x * normal_cdf(x);
    case Activation::kSilu:
      return x * sigmoid_of(x);
    case Activation::kTanh:
      return tanh_of(x);
    case Activation::kGeluTanh:
      // (1 + tanh(z)) / 2 is the logistic function of 2 z, which keeps the tail's digits.
      return x * sigmoid_of(2.0f * kSqrt2OverPi * (x + kCubic * x * x * x));
  }
  return x;
}

inline Vector slope_of(Activation kind, Vector x) {
  switch (kind) {
    case Activation::kNone:
      return splat(1.0f);
    case Activation::kRelu:
      return select(x > 0.0f, splat(1.0f), Vector{});
    case Activation::kGelu:
      return normal_cdf(x) + x * kInverseSqrt2Pi * exp_of(-0.5f * x * x);
    case Activation::kSilu:
      return silu_slope(x);
    case Activation::kTanh: {
      // 1 - tanh(x)^2 without the difference.
      const Vector e = exp_of(-2.0f * absolute(x));
      return 4.0f * e / ((1.0f + e) * (1.0f + e));
    }
    case Activation::kGeluTanh: {
      const Vector s = sigmoid_of(2.0f * kSqrt2OverPi * (x + kCubic * x * x * x));
      const Vector inner = 2.0f * kSqrt2OverPi * (x + 3.0f * kCubic * x * x * x);
      return s * (1.0f + inner * (1.0f - s));
    }
  }
  return splat(1.0f);
}

}  // namespace

void add(const float* a, const float* b, float* out, std::int64_t count) {
  sweep(count, [=](auto part) { store(out, part, load(a, part) + load(b, part)); });
}

void scale(float* x, float factor, std::int64_t count) {
  sweep(count, [=](auto part) { store(x, part, load(x, part) * factor); });
}

double sum_squares(const float* x, std::int64_t count) {
  // Four sums hide the latency of addition.
  constexpr std::int64_t kSums = 4;
  Double sums[kSums] = {};
  const std::int64_t blocks = count / (kSums * kLanes);
  for (std::int64_t block = 0; block < blocks; ++block) {
    for (std::int64_t i = 0; i < kSums; ++i) {
      const Vector value = load(x, Full{(block * kSums + i) * kLanes});
      const Double wide = __builtin_convertvector(value, Double);
      sums[i] += wide * wide;
    }
  }
  const std::int64_t done = blocks * kSums * kLanes;
  sweep(count - done, [&](auto part) {
    const Double wide = __builtin_convertvector(load(x + done, part), Double);
    sums[0] += wide * wide;
  });
  const Double total = (sums[0] + sums[1]) + (sums[2] + sums[3]);
  double sum = 0.0;
  for (std::int64_t i = 0; i < kLanes; ++i) {
    sum += total[i];
  }
  return sum;
}

void activation_forward(Activation kind, const float* x, float* y, std::int64_t count) {
  sweep(count, [=](auto part) { store(y, part, value_of(kind, load(x, part))); });
}

void activation_backward(Activation kind, const float* x, const float* dy, float* dx,
                         std::int64_t count) {
  sweep(count, [=](auto part) { store(dx, part, load(dy, part) * slope_of(kind, load(x, part))); });
}

void swiglu_forward(const float* gate, const float* up, float* h, std::int64_t count) {
  sweep(count, [=](auto part) {
    const Vector g = load(gate, part);
    store(h, part, g * sigmoid_of(g) * load(up, part));
  });
}

void swiglu_backward(const SwigluBackwardRange& range) {
  sweep(range.count, [=](auto part) {
    const Vector gate = load(range.gate, part);
    const Vector up = load(range.up, part);
    const Vector dh = load(range.dh, part);
    const Vector s = sigmoid_of(gate);
    const Vector silu = gate * s;
    store(range.dgate, part, dh * up * (s * (1.0f + gate * (1.0f - s))));
    store(range.dup, part, dh * silu);
    if (range.h != nullptr) {
      store(range.h, part, silu * up);
    }
  });
}

void adamw(const AdamwRange& range) {
  const float keep1 = range.beta1;
  const float keep2 = range.beta2;
  sweep(range.count, [=](auto part) {
    const Vector weight = load(range.weight, part);
    const Vector g = load(range.gradient, part) * range.grad_scale;
    const Vector m = load(range.m, part) * keep1 + g * (1.0f - keep1);
    const Vector v = load(range.v, part) * keep2 + g * g * (1.0f - keep2);
    const Vector update = m * range.correction1 / (sqrt_of(v * range.correction2) + range.eps);
    store(range.m, part, m);
    store(range.v, part, v);
    store(range.weight, part, weight - range.lr * (update + range.weight_decay * weight));
  });
}

void round_to_bf16(const float* x, std::uint16_t* out, std::int64_t count) {
  for (std::int64_t i = 0; i < count; ++i) {
    out[i] = bf16_of_float(x[i]);
  }
}

}  // namespace lathe::cpu::LATHE_ISA
