// Palettes to f32: codes of kBits bits, each of which stands for kDim neighbours. For
// table_decode.h and the kernels alone: always inlined, because those exist in copies compiled for
// several instruction sets. A matrix is
//   the codes of all rows, one behind the other without gaps, the lowest bit of each first
//   0 to 3 bytes up to a multiple of four
//   u32: rows per palette; u32: whether rows have scales
//   per palette 2^kBits times kDim values, f16
//   an f32 scale per row, where they have them: a weight is the value times its row's scale
#pragma once

#include <cstdint>

#include "engine/quant/matrix_view.h"
#include "engine/quant/palette_codes.h"

namespace lathe::block {

struct PaletteTables {
  [[gnu::always_inline]] explicit PaletteTables(const StoredMatrix& w)
      : PaletteTables(w, palette_form(w.dtype)) {}
  [[gnu::always_inline]] PaletteTables(const StoredMatrix& w, PaletteForm form)
      : head(w.data + (w.rows * w.cols / (8 * form.dim) * form.bits + 3) / 4 * 4),
        lut_bytes((std::int64_t{2} << form.bits) * form.dim),
        rows_per_palette(long_word_at(head)),
        scaled(long_word_at(head + 4) != 0),
        scales(head + 8 + w.rows / rows_per_palette * lut_bytes) {}

  [[gnu::always_inline]] const Byte* lut(std::int64_t row) const {
    return head + 8 + row / rows_per_palette * lut_bytes;
  }
  [[gnu::always_inline]] float scale(std::int64_t row) const {
    return scaled ? float_at(scales + 4 * row) : 1.0f;
  }

  const Byte* head;
  std::int64_t lut_bytes;
  std::int64_t rows_per_palette;
  bool scaled;
  const Byte* scales;
};

// A table of up to sixteen single values as floats, over and over until there are sixteen: bits
// above a code's own do not matter then.
template <int kBits>
[[gnu::always_inline]] inline void sixteen_levels(const Byte* lut, float* levels) {
  constexpr int kLevels = 1 << kBits;
  for (int i = 0; i < 16; ++i) {
    levels[i] = half_at(lut + 2 * (i % kLevels));
  }
}

// The values of sixteen codes of up to four bits.
template <int kBits>
[[gnu::always_inline]] inline void level_values(const Byte* from, const float* levels, float scale,
                                                float* out) {
#if defined(__AVX512F__)
  const __m512i codes = sixteen_dwords<kBits, false>(from);
  const __m512 values = _mm512_maskz_permutexvar_ps(0xffff, codes, _mm512_loadu_ps(levels));
  _mm512_storeu_ps(out, values * scale);
#elif defined(__AVX2__)
  for (int half = 0; half < 2; ++half) {
    const __m256i codes = eight_dwords<kBits, false>(from, half);
    _mm256_storeu_ps(out + 8 * half, eight_of_sixteen(codes, levels) * scale);
  }
#else
  for (int half = 0; half < 2; ++half) {
    const std::uint64_t codes = eight_codes<kBits>(from + kBits * half);
    for (int j = 0; j < 8; ++j) {
      out[8 * half + j] = levels[codes >> (kBits * j) & 15] * scale;
    }
  }
#endif
}

// The values of sixteen codes as they lie in the table.
template <int kBits, int kDim>
[[gnu::always_inline]] inline void copy_values(const Byte* from, const Byte* lut, Byte* halves) {
  constexpr unsigned kMask = (1u << kBits) - 1;
  for (int half = 0; half < 2; ++half) {
    const std::uint64_t codes = eight_codes<kBits>(from + kBits * half);
    for (int j = 0; j < 8; ++j) {
      __builtin_memcpy(halves + 2 * kDim * (8 * half + j),
                       lut + 2 * kDim * (codes >> (kBits * j) & kMask), 2 * kDim);
    }
  }
}

template <int kBits, int kDim>
[[gnu::always_inline]] inline void decode_palette(const StoredMatrix& w, std::int64_t row,
                                                  std::int64_t column, float* out,
                                                  std::int64_t count) {
  constexpr int kBlock = kCodesTogether * kDim;
  const PaletteTables tables(w, {kBits, kDim});
  const Byte* const lut = tables.lut(row);
  const float scale = tables.scale(row);
  const Byte* from = w.data + (row * w.cols + column) / kBlock * (2 * kBits);
  if constexpr (kDim == 1 && kBits <= 4) {
    float levels[16];
    sixteen_levels<kBits>(lut, levels);
    for (std::int64_t i = 0; i < count; i += kBlock, from += 2 * kBits) {
      level_values<kBits>(from, levels, scale, out + i);
    }
  } else {
    for (std::int64_t i = 0; i < count; i += kBlock, from += 2 * kBits) {
      Byte halves[2 * kBlock];
      copy_values<kBits, kDim>(from, lut, halves);
      decode_f16(halves, out + i, kBlock);
      for (int j = 0; j < kBlock; ++j) {
        out[i + j] *= scale;
      }
    }
  }
}

// body<kBits, kDim>() of a palette.
template <int kIndex = 0, typename Body>
[[gnu::always_inline]] inline void with_palette(DType dtype, const Body& body) {
  constexpr auto kType = static_cast<DType>(static_cast<int>(DType::kPalettes) + kIndex);
  if constexpr (kType < DType::kI32) {
    if (dtype == kType) {
      constexpr PaletteForm kForm = palette_form(kType);
      return body.template operator()<kForm.bits, kForm.dim>();
    }
    with_palette<kIndex + 1>(dtype, body);
  }
}

}  // namespace lathe::block
