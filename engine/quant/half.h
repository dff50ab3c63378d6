// The two 16-bit floating-point types, by integer arithmetic that compilers turn into vector code.
// Always inlined, because kernels include this in copies compiled for several instruction sets.
#pragma once

#include <cstdint>

namespace lathe {

// IEEE binary16 to binary32; exact.
[[gnu::always_inline]] inline float float_of_half(std::uint16_t half) {
  constexpr std::uint32_t kExponent = 0x7c00u << 13;
  constexpr float kSubnormalOffset = 0x1.0p-14f;
  const std::uint32_t magnitude = (half & 0x7fffu) << 13;
  const std::uint32_t exponent = magnitude & kExponent;
  const std::uint32_t normal = magnitude + (112u << 23);
  const std::uint32_t special = normal + (112u << 23);
  const float subnormal = __builtin_bit_cast(float, normal + (1u << 23)) - kSubnormalOffset;
  const std::uint32_t finite =
      exponent == 0 ? __builtin_bit_cast(std::uint32_t, subnormal) : normal;
  const std::uint32_t bits = exponent == kExponent ? special : finite;
  return __builtin_bit_cast(float, bits | (half & 0x8000u) << 16);
}

// Rounds to nearest, ties to even; beyond 65504 infinite.
[[gnu::always_inline]] inline std::uint16_t half_of_float(float value) {
  constexpr std::uint32_t kInfinity = 255u << 23;
  constexpr std::uint32_t kTooLarge = 143u << 23;        // 2^16
  constexpr std::uint32_t kSmallestNormal = 113u << 23;  // 2^-14
  const std::uint32_t all = __builtin_bit_cast(std::uint32_t, value);
  const std::uint32_t bits = all & 0x7fffffffu;
  std::uint32_t half = 0;
  if (bits >= kTooLarge) {
    half = bits > kInfinity ? 0x7e00u : 0x7c00u;
  } else if (bits < kSmallestNormal) {
    // Adding 1/2 makes the processor round at the last place of a subnormal.
    const float shifted = __builtin_bit_cast(float, bits) + 0.5f;
    half = __builtin_bit_cast(std::uint32_t, shifted) - (126u << 23);
  } else {
    half = (bits - (112u << 23) + 0xfffu + (bits >> 13 & 1u)) >> 13;
  }
  return static_cast<std::uint16_t>(half | (all >> 16 & 0x8000u));
}

[[gnu::always_inline]] inline float float_of_bf16(std::uint16_t bf16) {
  return __builtin_bit_cast(float, static_cast<std::uint32_t>(bf16) << 16);
}

// Rounds to nearest, ties to even; a NaN stays one.
[[gnu::always_inline]] inline std::uint16_t bf16_of_float(float value) {
  const std::uint32_t bits = __builtin_bit_cast(std::uint32_t, value);
  if ((bits & 0x7fffffffu) > 0x7f800000u) {
    return static_cast<std::uint16_t>(bits >> 16 | 64u);
  }
  return static_cast<std::uint16_t>((bits + 0x7fffu + (bits >> 16 & 1u)) >> 16);
}

// Rounds up in size with the probability of the part that is cut off, by 16 random bits: unbiased.
[[gnu::always_inline]] inline std::uint16_t bf16_of_float_by(float value, std::uint32_t random) {
  const std::uint32_t bits = __builtin_bit_cast(std::uint32_t, value);
  if ((bits & 0x7f800000u) == 0x7f800000u) {
    return bf16_of_float(value);
  }
  return static_cast<std::uint16_t>((bits + (random & 0xffffu)) >> 16);
}

}  // namespace lathe
