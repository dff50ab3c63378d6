// CUDA's 16-bit floating-point types as plain C++ (CUDA Math API 13.0, sections 3 and 4): what the
// kernels use of them.
#pragma once

#include <cstdint>

#include "engine/quant/half.h"

struct alignas(2) __nv_bfloat16 {
  std::uint16_t bits;
};
struct alignas(4) __nv_bfloat162 {
  __nv_bfloat16 x, y;
};
struct alignas(2) __half {
  std::uint16_t bits;
};
struct alignas(4) __half2 {
  __half x, y;
};

inline __nv_bfloat16 __float2bfloat16(float value) {
  return {lathe::bf16_of_float(value)};
}
inline unsigned short __bfloat16_as_ushort(__nv_bfloat16 value) {
  return value.bits;
}
inline float __bfloat162float(__nv_bfloat16 value) {
  return lathe::float_of_bf16(value.bits);
}
inline __nv_bfloat162 __floats2bfloat162_rn(float x, float y) {
  return {__float2bfloat16(x), __float2bfloat16(y)};
}
inline __half __float2half(float value) {
  return {lathe::half_of_float(value)};
}
inline unsigned short __half_as_ushort(__half value) {
  return value.bits;
}
inline __half __ushort_as_half(unsigned short bits) {
  return {bits};
}
inline float __half2float(__half value) {
  return lathe::float_of_half(value.bits);
}
inline __half2 __floats2half2_rn(float x, float y) {
  return {__float2half(x), __float2half(y)};
}
