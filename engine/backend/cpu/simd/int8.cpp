// Rounding activations to int8 and multiplying them with the codes of int8_row matrices, exactly.
// All counts are multiples of 32, the blocks of those matrices.
#include "engine/backend/cpu/simd/copies.h"
#include "engine/backend/cpu/simd/vector.h"

#ifdef __AVX2__
#include <immintrin.h>
#endif

namespace lathe::cpu::LATHE_ISA {
namespace {

inline IntVector load_marks(const std::int32_t* marks, std::int64_t at) {
  IntVector x;
  __builtin_memcpy(&x, marks + at, sizeof x);
  return x;
}

// To the nearest, ties to even.
inline IntVector rounded(Vector x) {
#if defined(__AVX512F__)
  return (IntVector)_mm512_maskz_cvtps_epi32(0xffff, (__m512)x);
#elif defined(__AVX2__)
  return (IntVector)_mm256_cvtps_epi32((__m256)x);
#else
  IntVector out{};
  for (std::int64_t i = 0; i < kLanes; ++i) {
    out[i] = static_cast<std::int32_t>(__builtin_rintf(x[i]));
  }
  return out;
#endif
}

// Products of neighbours, two and two, of a step of codes widened to 16 bits: what they sum to fits
// into 32 bits.
#if defined(__AVX512BW__)
constexpr std::int64_t kStep = 32;
using Wide = __m512i;
inline Wide widened(const std::int8_t* from) {
  return _mm512_cvtepi8_epi16(_mm256_loadu_si256(reinterpret_cast<const __m256i*>(from)));
}
inline Wide plus_products(Wide sum, Wide a, Wide b) {
  return _mm512_add_epi32(sum, _mm512_madd_epi16(a, b));
}
#elif defined(__AVX2__)
constexpr std::int64_t kStep = 16;
using Wide = __m256i;
inline Wide widened(const std::int8_t* from) {
  return _mm256_cvtepi8_epi16(_mm_loadu_si128(reinterpret_cast<const __m128i*>(from)));
}
inline Wide plus_products(Wide sum, Wide a, Wide b) {
  return _mm256_add_epi32(sum, _mm256_madd_epi16(a, b));
}
#else
constexpr std::int64_t kStep = 1;
using Wide = std::int32_t;
inline Wide widened(const std::int8_t* from) {
  return *from;
}
inline Wide plus_products(Wide sum, Wide a, Wide b) {
  return sum + a * b;
}
#endif

inline std::int32_t total(Wide sum) {
  std::int32_t lanes[sizeof(Wide) / sizeof(std::int32_t)];
  __builtin_memcpy(lanes, &sum, sizeof lanes);
  std::int32_t all = 0;
  for (const std::int32_t lane : lanes) {
    all += lane;
  }
  return all;
}

// One row of the matrix with kRows rows of codes.
template <int kRows>
inline void dots(const std::int8_t* weights, const std::int8_t* codes, const Int8Rows& product,
                 std::int32_t* sums) {
  Wide parts[kRows] = {};
  for (std::int64_t at = 0; at < product.width; at += kStep) {
    const Wide w = widened(weights + at);
    for (int row = 0; row < kRows; ++row) {
      parts[row] = plus_products(parts[row], w, widened(codes + row * product.width + at));
    }
  }
  for (int row = 0; row < kRows; ++row) {
    sums[row * product.stride] = total(parts[row]);
  }
}

}  // namespace

void int8_outliers(const float* x, float limit, std::int32_t* left_out, std::int64_t count) {
  for (std::int64_t at = 0; at < count; at += kLanes) {
    const IntVector below = absolute(load(x, Full{at})) < splat(limit);
    const IntVector marks = load_marks(left_out, at) | (~below & 1);
    __builtin_memcpy(left_out + at, &marks, sizeof marks);
  }
}

float int8_largest(const float* x, const std::int32_t* left_out, std::int64_t count) {
  Vector largest{};
  for (std::int64_t at = 0; at < count; at += kLanes) {
    const IntVector taken = load_marks(left_out, at) == 0;
    largest = larger(select(taken, absolute(load(x, Full{at})), Vector{}), largest);
  }
  return max_of(largest);
}

void int8_codes(const float* x, const std::int32_t* left_out, float factor, std::int8_t* codes,
                std::int64_t count) {
  using Codes [[gnu::vector_size(LATHE_LANES)]] = std::int8_t;
  for (std::int64_t at = 0; at < count; at += kLanes) {
    const IntVector taken = load_marks(left_out, at) == 0;
    const Vector value = select(taken, load(x, Full{at}) * factor, Vector{});
    const Codes narrow = __builtin_convertvector(rounded(value), Codes);
    __builtin_memcpy(codes + at, &narrow, sizeof narrow);
  }
}

void int8_dots(const Int8Rows& product) {
  for (std::int64_t o = 0; o < product.count; ++o) {
    const std::int8_t* const weights = product.weights + o * product.width;
    std::int64_t n = 0;
    for (; n + 4 <= product.rows; n += 4) {
      dots<4>(weights, product.codes + n * product.width, product,
              product.sums + n * product.stride + o);
    }
    for (; n < product.rows; ++n) {
      dots<1>(weights, product.codes + n * product.width, product,
              product.sums + n * product.stride + o);
    }
  }
}

}  // namespace lathe::cpu::LATHE_ISA
