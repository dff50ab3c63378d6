// The dynamic maps: 256 numbers that 8 bits choose from, close together near 0 (Dettmers et al.
// 2022, arXiv 2110.02861, section 2.2 and appendix; the numbers are those of bitsandbytes). Of the
// seven decades from 10^-6 to 1, the i-th is cut into first * 2^i equal parts, whose middles are
// levels; 0 and 1 are added. Signed: first = 1 and every level but 1 also below 0; unsigned: 2.
// What is kept is first divided by the absmax of a block. Kernels call these functions too, in
// copies compiled for several instruction sets, so that they are always inlined.
#pragma once

#include <array>
#include <cstdint>

namespace lathe {

enum class DynamicMap : std::uint8_t { kSigned, kUnsigned };
inline constexpr int kDynamicCodes = 256;

// The code of 0. Codes above it are levels 1, 2, ... upwards, codes below it those of negative
// numbers.
[[gnu::always_inline]] constexpr int zero_code(DynamicMap map) {
  return map == DynamicMap::kSigned ? 127 : 0;
}

// Parts of the lowest decade.
[[gnu::always_inline]] constexpr int first_levels(DynamicMap map) {
  return map == DynamicMap::kSigned ? 1 : 2;
}

// What a code in [0, 256) stands for, rounded once: numerator and denominator are exact floats.
[[gnu::always_inline]] constexpr float dynamic_value(DynamicMap map, int code) {
  const int above = code - zero_code(map);
  const int level = above < 0 ? -above : above;
  if (level == 0 || code == kDynamicCodes - 1) {
    return level == 0 ? 0.0f : 1.0f;
  }
  const int rank = level + first_levels(map) - 1;
  int parts = first_levels(map);
  float tens = 1e7f;
  for (; rank >= 2 * parts; parts *= 2) {
    tens /= 10.0f;
  }
  // 10^(i - 6) (0.1 + 0.9 (j + 1/2) / parts), part j.
  const auto numerator = static_cast<float>(2 * parts + 9 * (2 * (rank - parts) + 1));
  const float value = numerator / (static_cast<float>(2 * parts) * tens);
  return above < 0 ? -value : value;
}

constexpr std::array<float, kDynamicCodes> make_dynamic_values(DynamicMap map) {
  std::array<float, kDynamicCodes> values{};
  for (int code = 0; code < kDynamicCodes; ++code) {
    values[static_cast<std::size_t>(code)] = dynamic_value(map, code);
  }
  return values;
}
inline constexpr std::array<float, kDynamicCodes> kSignedValues =
    make_dynamic_values(DynamicMap::kSigned);
inline constexpr std::array<float, kDynamicCodes> kUnsignedValues =
    make_dynamic_values(DynamicMap::kUnsigned);

// The value of each code, ascending, for code on the host; a kernel fills a table of its own.
[[gnu::always_inline]] constexpr const float* dynamic_values(DynamicMap map) {
  return map == DynamicMap::kSigned ? &kSignedValues[0] : &kUnsignedValues[0];
}

// The level nearest to size >= 0, from 0; of two equally near the one nearer to 0. `values` is the
// map's table. A NaN gets some level.
template <typename Real>
[[gnu::always_inline]] constexpr int nearest_level(DynamicMap map, const float* values, Real size) {
  const float* const levels = values + zero_code(map);
  const int first = first_levels(map);
  // The part of its decade that the size lies in is a guess that rounding, or a border between
  // two decades, puts off by one level at most.
  int parts = first;
  Real scale = Real(1e6);
  Real end = Real(1e-6);
  Real inverse = Real(1e6);
  for (int decade = 1; decade < 7; ++decade) {
    const bool above = size > end;
    end *= Real(10);
    inverse /= Real(10);
    parts = above ? first << decade : parts;
    scale = above ? inverse : scale;
  }
  const Real last = static_cast<Real>(parts - 1);
  const Real place = (size * scale - Real(0.1)) * (static_cast<Real>(parts) / Real(0.9));
  const Real least = place > Real(0) ? place : Real(0);
  const Real within = least < last ? least : last;
  const int guess = parts - first + 1 + static_cast<int>(within);
  const float upper = 0.5f * (levels[guess] + levels[guess + 1]);
  const float lower = 0.5f * (levels[guess - 1] + levels[guess]);
  return guess + (size > static_cast<Real>(upper) ? 1 : 0) -
         (size <= static_cast<Real>(lower) ? 1 : 0);
}

// The code nearest to x; x >= 0 of the unsigned map. Beyond the map its last value is meant.
template <typename Real>
[[gnu::always_inline]] constexpr int nearest_code(DynamicMap map, const float* values, Real x) {
  const int zero = zero_code(map);
  const int level = nearest_level(map, values, x < Real(0) ? -x : x);
  const int below = level < zero ? level : zero;
  return zero + (x < Real(0) ? -below : level);
}

// The same, but 0 alone becomes 0: any other number keeps its sign and has at least level 1.
template <typename Real>
[[gnu::always_inline]] constexpr int nearest_code_of_sign(DynamicMap map, const float* values,
                                                          Real x) {
  const int code = nearest_code(map, values, x);
  const int sign = (x > Real(0) ? 1 : 0) - (x < Real(0) ? 1 : 0);
  return code + (code == zero_code(map) ? sign : 0);
}

}  // namespace lathe
