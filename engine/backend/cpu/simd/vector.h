// One vector register of the instruction set that the file is compiled for (LATHE_LANES floats),
// with loads that may stop short. All in an unnamed namespace: each copy of a kernel keeps its own.
#pragma once

#include <cstdint>

namespace lathe::cpu {
namespace {

constexpr std::int64_t kLanes = LATHE_LANES;

using Vector [[gnu::vector_size(LATHE_LANES * 4)]] = float;
using IntVector [[gnu::vector_size(LATHE_LANES * 4)]] = std::int32_t;
using WordVector [[gnu::vector_size(LATHE_LANES * 4)]] = std::uint32_t;

// A full register at element `at`, or the `count` elements that are left there.
struct Full {
  std::int64_t at;
};
struct Rest {
  std::int64_t at;
  std::int64_t count;
};

inline Vector splat(float value) {
  return Vector{} + value;
}

inline Vector load(const float* data, Full part) {
  Vector x;
  __builtin_memcpy(&x, data + part.at, sizeof x);
  return x;
}

// Copies `count` < 2 * piece elements in pieces of halving size, each of a size known to the
// compiler.
template <std::int64_t piece = kLanes / 2>
inline void copy_rest(const float* from, float* to, std::int64_t count) {
  if ((count & piece) != 0) {
    __builtin_memcpy(to, from, piece * sizeof(float));
    from += piece;
    to += piece;
  }
  if constexpr (piece > 1) {
    copy_rest<piece / 2>(from, to, count);
  }
}

inline Vector load(const float* data, Rest part) {
  Vector x{};
  copy_rest(data + part.at, reinterpret_cast<float*>(&x), part.count);
  return x;
}

inline void store(float* data, Full part, Vector x) {
  __builtin_memcpy(data + part.at, &x, sizeof x);
}

inline void store(float* data, Rest part, Vector x) {
  copy_rest(reinterpret_cast<const float*>(&x), data + part.at, part.count);
}

// Calls body(part) for each register of [0, count), the last one perhaps short.
template <typename Body>
inline void sweep(std::int64_t count, const Body& body) {
  const std::int64_t full = count / kLanes * kLanes;
  for (std::int64_t at = 0; at < full; at += kLanes) {
    body(Full{at});
  }
  if (full < count) {
    body(Rest{full, count - full});
  }
}

inline Vector select(IntVector mask, Vector yes, Vector no) {
  return mask ? yes : no;
}

inline Vector larger(Vector a, Vector b) {
  return a > b ? a : b;
}

inline IntVector bits_of(Vector x) {
  return (IntVector)x;
}

inline Vector of_bits(IntVector x) {
  return (Vector)x;
}

inline Vector absolute(Vector x) {
  return of_bits(bits_of(x) & 0x7fffffff);
}

// |size| with the sign of x.
inline Vector with_sign(Vector size, Vector x) {
  return of_bits((bits_of(size) & 0x7fffffff) |
                 (bits_of(x) & static_cast<std::int32_t>(0x80000000)));
}

// The lanes turned by `by` places.
template <std::int64_t by>
inline Vector rotated(Vector x) {
  IntVector from{};
  for (std::int64_t i = 0; i < kLanes; ++i) {
    from[i] = static_cast<std::int32_t>((i + by) % kLanes);
  }
  return __builtin_shuffle(x, from);
}

// Lane sums in a fixed tree: halves are added until one is left.
template <std::int64_t half = kLanes / 2>
inline float sum_of(Vector x) {
  x += rotated<half>(x);
  if constexpr (half > 1) {
    return sum_of<half / 2>(x);
  }
  return x[0];
}

template <std::int64_t half = kLanes / 2>
inline float max_of(Vector x) {
  x = larger(rotated<half>(x), x);
  if constexpr (half > 1) {
    return max_of<half / 2>(x);
  }
  return x[0];
}

// Swaps, between rows `step` apart, the halves of each group of 2 * step lanes that lie across.
template <std::int64_t step>
inline void exchange(Vector (&rows)[kLanes]) {
  IntVector low{};
  IntVector high{};
  for (std::int64_t i = 0; i < kLanes; ++i) {
    const bool upper = (i & step) != 0;
    low[i] = static_cast<std::int32_t>(upper ? i - step + kLanes : i);
    high[i] = static_cast<std::int32_t>(upper ? i + kLanes : i + step);
  }
  for (std::int64_t row = 0; row < kLanes; ++row) {
    if ((row & step) == 0) {
      const Vector first = rows[row];
      const Vector second = rows[row + step];
      rows[row] = __builtin_shuffle(first, second, low);
      rows[row + step] = __builtin_shuffle(first, second, high);
    }
  }
}

// Element (i, j) of the square becomes (j, i).
template <std::int64_t step = 1>
inline void transpose_square(Vector (&rows)[kLanes]) {
  exchange<step>(rows);
  if constexpr (2 * step < kLanes) {
    transpose_square<2 * step>(rows);
  }
}

// The lanes that a short register really has; the others become `other`.
inline Vector keep(Full, Vector x, float) {
  return x;
}
inline Vector keep(Rest part, Vector x, float other) {
  for (std::int64_t i = part.count; i < kLanes; ++i) {
    x[i] = other;
  }
  return x;
}

// exp(x) for x <= 88, to about 1 unit in the last place; 0 below -87.3 (no denormals). Range
// reduction by ln 2 in two parts, then the polynomial of the Cephes library's expf.
inline Vector exp_of(Vector x) {
  constexpr float kRound = 12582912.0f;  // 1.5 * 2^23: adding it rounds to an integer
  const Vector shifted = x * 1.44269504088896341f + kRound;
  const Vector k = shifted - kRound;
  const Vector r = (x - k * 0.693359375f) - k * -2.12194440e-4f;
  Vector p = splat(1.9875691500e-4f);
  p = p * r + 1.3981999507e-3f;
  p = p * r + 8.3334519073e-3f;
  p = p * r + 4.1665795894e-2f;
  p = p * r + 1.6666665459e-1f;
  p = p * r + 5.0000001201e-1f;
  p = (p * r) * r + r + 1.0f;
  // Of an x beyond the range these are the bits of nothing, which an unsigned sum may overflow to.
  const auto words = reinterpret_cast<WordVector>(bits_of(shifted));
  const Vector power = of_bits(reinterpret_cast<IntVector>((words << 23u) + 0x3f800000u));
  return select(x < -87.3f, Vector{}, p * power);
}

// 1 / (1 + exp(-x)) without overflow.
inline Vector sigmoid_of(Vector x) {
  const Vector e = exp_of(-absolute(x));
  const Vector inverse = 1.0f / (1.0f + e);
  return select(x < 0.0f, e * inverse, inverse);
}

}  // namespace
}  // namespace lathe::cpu
