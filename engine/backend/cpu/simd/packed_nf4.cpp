// Rows of nf4 and nf4_dq times one vector where registers hold all sixteen levels (AVX-512): a
// register of dwords is shifted by one nibble after the other, and its lowest nibbles choose among
// the levels. x is set in the order in which that brings its elements, once for all rows.
#ifdef __AVX512F__
#include <immintrin.h>
#endif

#include "engine/backend/cpu/simd/packed_dot.h"
#include "engine/quant/table_decode.h"

namespace lathe::cpu::LATHE_ISA {

#ifdef __AVX512F__
namespace {

using block::Byte;

constexpr std::int64_t kPair = 128;  // elements of two blocks
constexpr std::int64_t kMostWidth = 16384;

// The places of two registers that make the first, or with `step` more the second, half of their
// columns: rows of 2 `step` floats, sixteen floats to a register, become rows of `step`.
struct Places {
  alignas(64) int at[16];
};
constexpr Places half_of_columns(int step, int from) {
  Places places{};
  const int rows = 8 / step;  // of one register
  for (int i = 0; i < 16; ++i) {
    const int row = i / step;
    places.at[i] = row / rows * 16 + row % rows * 2 * step + i % step + from;
  }
  return places;
}

template <int kStep>
[[gnu::always_inline]] inline void halve(__m512 first, __m512 second, __m512* left, __m512* right) {
  static constexpr Places kLeft = half_of_columns(kStep, 0);
  static constexpr Places kRight = half_of_columns(kStep, kStep);
  *left = _mm512_maskz_permutex2var_ps(0xffff, first, _mm512_load_si512(kLeft.at), second);
  *right = _mm512_maskz_permutex2var_ps(0xffff, first, _mm512_load_si512(kRight.at), second);
}

// Of each 128, element 8 d + (j ^ 1) goes to 16 j + d: of dword d, what shift j brings. That is the
// transposed of 16 rows of 8, in three halvings of the columns.
void set_in_nibble_order(const float* x, std::int64_t width, float* out) {
  for (std::int64_t at = 0; at < width; at += kPair) {
    __m512 rows[8], fours[2][4], twos[4][2], ones[8];
    for (int i = 0; i < 8; ++i) {
      rows[i] = at + 16 * i < width ? _mm512_loadu_ps(x + at + 16 * i) : _mm512_setzero_ps();
    }
    for (int i = 0; i < 4; ++i) {
      halve<4>(rows[2 * i], rows[2 * i + 1], &fours[0][i], &fours[1][i]);
    }
    for (int i = 0; i < 2; ++i) {
      for (int half = 0; half < 2; ++half) {
        halve<2>(fours[half][2 * i], fours[half][2 * i + 1], &twos[2 * half][i],
                 &twos[2 * half + 1][i]);
      }
    }
    for (int i = 0; i < 4; ++i) {
      halve<1>(twos[i][0], twos[i][1], &ones[2 * i], &ones[2 * i + 1]);
    }
    for (int j = 0; j < 8; ++j) {
      _mm512_storeu_ps(out + at + 16 * j, ones[j ^ 1]);
    }
  }
}

using Dwords [[gnu::vector_size(64)]] = unsigned int;

// With masks that leave all, here and below: GCC 12 warns of its own header's undefined vectors
// without. Two blocks' codes, 32 bytes each, with what their elements are multiplied by.
[[gnu::always_inline]] inline __m512 pair_products(__m512i codes, const float* x) {
  const __m512 levels = _mm512_loadu_ps(kNf4Levels.data());
  __m512 even = _mm512_setzero_ps();
  __m512 odd = _mm512_setzero_ps();
  for (int j = 0; j < 8; j += 2) {
    const auto first = (__m512i)((Dwords)codes >> 4 * j);
    const auto second = (__m512i)((Dwords)codes >> (4 * j + 4));
    even = _mm512_fmadd_ps(_mm512_maskz_permutexvar_ps(0xffff, first, levels),
                           _mm512_loadu_ps(x + 16 * j), even);
    odd = _mm512_fmadd_ps(_mm512_maskz_permutexvar_ps(0xffff, second, levels),
                          _mm512_loadu_ps(x + 16 * j + 16), odd);
  }
  return even + odd;
}

[[gnu::always_inline]] inline __m512i two_halves(const Byte* first, const Byte* second) {
  const __m256i low = _mm256_loadu_si256(reinterpret_cast<const __m256i*>(first));
  const __m256i high = _mm256_loadu_si256(reinterpret_cast<const __m256i*>(second));
  return _mm512_maskz_inserti64x4(0xff, _mm512_maskz_broadcast_i64x4(0x0f, low), high, 1);
}

[[gnu::always_inline]] inline __m512 two_scales(float first, float second) {
  return _mm512_mask_blend_ps(0xff00, _mm512_set1_ps(first), _mm512_set1_ps(second));
}

[[gnu::always_inline]] inline float total_of(__m512 sum) {
  float lanes[16];
  _mm512_storeu_ps(lanes, sum);
  for (int width = 8; width > 0; width /= 2) {
    for (int i = 0; i < width; ++i) {
      lanes[i] += lanes[i + width];
    }
  }
  return lanes[0];
}

// Rows whose blocks code_at(row, i) and scale_at(row, i) tell of. A last block that has none beside
// it stands beside itself, with a scale of 0.
template <typename CodeAt, typename ScaleAt>
bool nf4_rows(const PackedRows& weight, const CodeAt& code_at, const ScaleAt& scale_at) {
  if (weight.width > kMostWidth) {
    return false;
  }
  alignas(64) float x[kMostWidth];
  set_in_nibble_order(weight.x, weight.width, x);
  const std::int64_t blocks = weight.width / 64;
  for (std::int64_t row = 0; row < weight.count; ++row) {
    __m512 sum = _mm512_setzero_ps();
    for (std::int64_t i = 0; i < blocks; i += 2) {
      const bool whole = i + 1 < blocks;
      const std::int64_t other = whole ? i + 1 : i;
      const __m512i codes = two_halves(code_at(row, i), code_at(row, other));
      const __m512 scales = two_scales(scale_at(row, i), whole ? scale_at(row, other) : 0.0f);
      sum = _mm512_fmadd_ps(pair_products(codes, x + 64 * i), scales, sum);
    }
    weight.sums[row] = total_of(sum);
  }
  return true;
}

}  // namespace

bool nf4_rows(const PackedRows& weight) {
  return nf4_rows(
      weight,
      [&](std::int64_t row, std::int64_t i) {
        return weight.stored + row * weight.row_bytes + 36 * i + 4;
      },
      [&](std::int64_t row, std::int64_t i) {
        return block::float_at(weight.stored + row * weight.row_bytes + 36 * i);
      });
}

bool nf4_dq_rows(const PackedRows& weight) {
  const StoredMatrix& w = weight.matrix;
  const std::int64_t blocks = w.cols / 64;
  return nf4_rows(
      weight,
      [&](std::int64_t row, std::int64_t i) {
        return w.data + ((weight.first + row) * blocks + i) * 32;
      },
      [&](std::int64_t row, std::int64_t i) {
        return block::nf4_dq_scale(w, (weight.first + row) * blocks + i);
      });
}

#else
bool nf4_rows(const PackedRows&) {
  return false;
}

bool nf4_dq_rows(const PackedRows&) {
  return false;
}
#endif

}  // namespace lathe::cpu::LATHE_ISA
