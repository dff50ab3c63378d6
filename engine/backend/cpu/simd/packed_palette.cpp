// Rows of palettes of single weights times one vector: codes become dwords in registers, which
// choose among sixteen levels in registers too, or among more in a table of floats. The scale of a
// row is applied to its sum.
#ifdef __AVX2__
#include <immintrin.h>
#endif

#include "engine/backend/cpu/simd/packed_dot.h"
#include "engine/quant/table_decode.h"

namespace lathe::cpu::LATHE_ISA {

#ifdef __AVX2__
namespace {

using block::Byte;
using block::kCodesTogether;

// The table of a row as floats: made again where the row's palette is another one.
template <int kBits>
struct Levels {
  static constexpr int kCount = kBits <= 4 ? 16 : 1 << kBits;
  alignas(64) float values[kCount];
  const Byte* of = nullptr;

  void read(const Byte* lut) {
    if (lut == of) {
      return;
    }
    of = lut;
    if constexpr (kBits <= 4) {
      block::sixteen_levels<kBits>(lut, values);
    } else {
      for (int i = 0; i < kCount; i += 16) {
        block::decode_f16(lut + 2 * i, values + i, 16);
      }
    }
  }
};

#ifdef __AVX512F__
using Register = __m512;

template <int kBits>
[[gnu::always_inline]] inline __m512 products(const Byte* from, const float* levels, const float* x,
                                              __m512 sum) {
  const __m512i codes = block::sixteen_dwords<kBits, (kBits > 4)>(from);
  __m512 values;
  if constexpr (kBits <= 4) {
    values = _mm512_maskz_permutexvar_ps(0xffff, codes, _mm512_load_ps(levels));
  } else {
    values = _mm512_mask_i32gather_ps(_mm512_setzero_ps(), 0xffff, codes, levels, 4);
  }
  return _mm512_fmadd_ps(values, _mm512_loadu_ps(x), sum);
}
#else
using Register = __m256;

template <int kBits>
[[gnu::always_inline]] inline __m256 products(const Byte* from, const float* levels, const float* x,
                                              __m256 sum) {
  for (int half = 0; half < 2; ++half) {
    const __m256i codes = block::eight_dwords<kBits, (kBits > 4)>(from, half);
    __m256 values;
    if constexpr (kBits <= 3) {
      values = _mm256_permutevar8x32_ps(_mm256_load_ps(levels), codes);
    } else if constexpr (kBits == 4) {
      values = block::eight_of_sixteen(codes, levels);
    } else {
      values = _mm256_i32gather_ps(levels, codes, 4);
    }
    sum = _mm256_fmadd_ps(values, _mm256_loadu_ps(x + 8 * half), sum);
  }
  return sum;
}
#endif

[[gnu::always_inline]] inline float total_of(Register sum) {
  constexpr int kLanes = sizeof(Register) / sizeof(float);
  float lanes[kLanes];
  __builtin_memcpy(lanes, &sum, sizeof lanes);
  for (int width = kLanes / 2; width > 0; width /= 2) {
    for (int i = 0; i < width; ++i) {
      lanes[i] += lanes[i + width];
    }
  }
  return lanes[0];
}

template <int kBits>
void dots(const PackedRows& weight) {
  constexpr int kBytes = kCodesTogether * kBits / 8;
  const StoredMatrix& w = weight.matrix;
  const block::PaletteTables tables(w, {kBits, 1});
  Levels<kBits> levels;
  for (std::int64_t i = 0; i < weight.count; ++i) {
    const std::int64_t row = weight.first + i;
    levels.read(tables.lut(row));
    const Byte* const from = w.data + row * (w.cols / kCodesTogether) * kBytes;
    Register sums[4] = {};
    const std::int64_t blocks = w.cols / kCodesTogether;
    std::int64_t at = 0;
    for (; at + 4 <= blocks; at += 4) {
      for (int j = 0; j < 4; ++j) {
        sums[j] = products<kBits>(from + (at + j) * kBytes, levels.values,
                                  weight.x + (at + j) * kCodesTogether, sums[j]);
      }
    }
    for (; at < blocks; ++at) {
      sums[0] = products<kBits>(from + at * kBytes, levels.values, weight.x + at * kCodesTogether,
                                sums[0]);
    }
    weight.sums[i] = total_of((sums[0] + sums[1]) + (sums[2] + sums[3])) * tables.scale(row);
  }
}

}  // namespace

bool palette_rows(const PackedRows& weight) {
  bool there = false;
  block::with_palette(weight.dtype, [&]<int kBits, int kDim>() {
    if constexpr (kDim == 1) {
      dots<kBits>(weight);
      there = true;
    }
  });
  return there;
}

#else
bool palette_rows(const PackedRows&) {
  return false;
}
#endif

}  // namespace lathe::cpu::LATHE_ISA
