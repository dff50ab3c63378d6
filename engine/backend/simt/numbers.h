// CUDA's functions on numbers as plain C++, those that kernels use (CUDA C++ Programming
// Guide 13.0, section 10, and its Math API).
#pragma once

#include <bit>
#include <cmath>
#include <cstdint>

inline int __popc(unsigned bits) {
  return std::popcount(bits);
}
inline int __ffs(int bits) {
  return bits == 0 ? 0 : std::countr_zero(static_cast<unsigned>(bits)) + 1;
}
inline int __float2int_rn(float x) {
  return static_cast<int>(std::lrint(x));
}
// sum plus the products of four signed bytes.
inline int __dp4a(int a, int b, int sum) {
  for (int byte = 0; byte < 4; ++byte) {
    sum += static_cast<std::int8_t>(a >> 8 * byte) * static_cast<std::int8_t>(b >> 8 * byte);
  }
  return sum;
}
inline float rsqrtf(float x) {
  return 1.0f / std::sqrt(x);
}

// Of pi x, as CUDA has it.
inline void sincospi(double x, double* sine, double* cosine) {
  const double turns = x - 2.0 * std::rint(0.5 * x);
  *sine = std::sin(turns * 3.14159265358979323846);
  *cosine = std::cos(turns * 3.14159265358979323846);
}

inline float __int_as_float(int bits) {
  return __builtin_bit_cast(float, bits);
}
inline int __float_as_int(float value) {
  return __builtin_bit_cast(int, value);
}
inline float __uint_as_float(unsigned bits) {
  return std::bit_cast<float>(bits);
}
inline unsigned __float_as_uint(float value) {
  return std::bit_cast<unsigned>(value);
}
