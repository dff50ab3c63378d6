// SwiGLU and the plain activations with their slopes, in single precision: every thread loads the
// elements of a pack before it stores, so outputs may lie over inputs.
#pragma once

#include "engine/backend/cuda/device/pack.cuh"
#include "engine/ops/activation_kind.h"

namespace lathe::LATHE_GPU {

constexpr float kInverseSqrt2 = 0.70710678f;
constexpr float kInverseSqrt2Pi = 0.39894228f;
// 2 sqrt(2 / pi), and the cubic term of GELU by tanh.
constexpr float kTwiceSqrt2OverPi = 1.59576912f;
constexpr float kCubic = 0.044715f;
// Squares beyond it only meet factors that are zero.
constexpr float kLargeSquare = 1e37f;

__device__ inline float sigmoid(float x) {
  return 1.0f / (1.0f + expf(-x));
}
__device__ inline float silu(float x) {
  return x * sigmoid(x);
}
__device__ inline float silu_slope(float x) {
  const float s = sigmoid(x);
  return s * (1.0f + x * (1.0f - s));
}

// 1 - tanh(x)^2, by an exponential that keeps its tail.
__device__ inline float tanh_slope(float x) {
  const float e = expf(-2.0f * fabsf(x));
  return 4.0f * e / ((1.0f + e) * (1.0f + e));
}

// (1 + erf(x / sqrt(2))) / 2
__device__ inline float normal_share(float x) {
  return 0.5f * erfcf(-x * kInverseSqrt2);
}

// (1 + tanh(u)) / 2 = sigmoid(2 u), of which the left side would lose the tail.
__device__ inline float gelu_gate(float x) {
  return sigmoid(kTwiceSqrt2OverPi * (x + kCubic * x * x * x));
}
__device__ inline float gelu_tanh_slope(float x) {
  const float s = gelu_gate(x);
  const float square = fminf(x * x, kLargeSquare);
  return s + x * (s * (1.0f - s)) * (kTwiceSqrt2OverPi * (1.0f + 3.0f * kCubic * square));
}

__device__ inline float activation_value(Activation kind, float x) {
  switch (kind) {
    case Activation::kNone:
      return x;
    case Activation::kRelu:
      return x < 0.0f ? 0.0f : x;
    case Activation::kGelu:
      return x * normal_share(x);
    case Activation::kSilu:
      return silu(x);
    case Activation::kTanh:
      return tanhf(x);
    case Activation::kGeluTanh:
      return x * gelu_gate(x);
  }
  return x;
}

__device__ inline float activation_slope(Activation kind, float x) {
  switch (kind) {
    case Activation::kNone:
      return 1.0f;
    case Activation::kRelu:
      return x > 0.0f ? 1.0f : 0.0f;
    case Activation::kGelu:
      return normal_share(x) + x * kInverseSqrt2Pi * expf(-0.5f * x * x);
    case Activation::kSilu:
      return silu_slope(x);
    case Activation::kTanh:
      return tanh_slope(x);
    case Activation::kGeluTanh:
      return gelu_tanh_slope(x);
  }
  return 1.0f;
}

// 12 bytes an element.
template <int kWidth>
static __global__ void swiglu_forward_kernel(const float* gate, const float* up, float* h,
                                             Index count) {
  for_each_pack<kWidth>(count, [&](auto pack, Index i) {
    constexpr int kLanes = decltype(pack)::kLanes;
    const Pack<kLanes> g = load_pack<kLanes>(gate + i);
    const Pack<kLanes> u = load_pack<kLanes>(up + i);
    Pack<kLanes> out;
    for (int j = 0; j < kLanes; ++j) {
      out.at[j] = silu(g.at[j]) * u.at[j];
    }
    store_pack(h + i, out);
  });
}

// 20 bytes an element, 24 where h, null if not wanted, is made again.
template <int kWidth>
static __global__ void swiglu_backward_kernel(const float* dh, const float* gate, const float* up,
                                              float* dgate, float* dup, float* h, Index count) {
  for_each_pack<kWidth>(count, [&](auto pack, Index i) {
    constexpr int kLanes = decltype(pack)::kLanes;
    const Pack<kLanes> d = load_pack<kLanes>(dh + i);
    const Pack<kLanes> g = load_pack<kLanes>(gate + i);
    const Pack<kLanes> u = load_pack<kLanes>(up + i);
    Pack<kLanes> to_gate, to_up, product;
    for (int j = 0; j < kLanes; ++j) {
      const float s = sigmoid(g.at[j]);
      const float value = g.at[j] * s;
      to_gate.at[j] = d.at[j] * u.at[j] * (s * (1.0f + g.at[j] * (1.0f - s)));
      to_up.at[j] = d.at[j] * value;
      product.at[j] = value * u.at[j];
    }
    store_pack(dgate + i, to_gate);
    store_pack(dup + i, to_up);
    if (h != nullptr) {
      store_pack(h + i, product);
    }
  });
}

// 8 bytes an element.
template <int kWidth>
static __global__ void activation_forward_kernel(Activation kind, const float* x, float* y,
                                                 Index count) {
  for_each_pack<kWidth>(count, [&](auto pack, Index i) {
    constexpr int kLanes = decltype(pack)::kLanes;
    Pack<kLanes> value = load_pack<kLanes>(x + i);
    for (int j = 0; j < kLanes; ++j) {
      value.at[j] = activation_value(kind, value.at[j]);
    }
    store_pack(y + i, value);
  });
}

// 12 bytes an element.
template <int kWidth>
static __global__ void activation_backward_kernel(Activation kind, const float* x, const float* dy,
                                                  float* dx, Index count) {
  for_each_pack<kWidth>(count, [&](auto pack, Index i) {
    constexpr int kLanes = decltype(pack)::kLanes;
    const Pack<kLanes> at = load_pack<kLanes>(x + i);
    Pack<kLanes> value = load_pack<kLanes>(dy + i);
    for (int j = 0; j < kLanes; ++j) {
      value.at[j] *= activation_slope(kind, at.at[j]);
    }
    store_pack(dx + i, value);
  });
}

}  // namespace lathe::LATHE_GPU
