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

namespace lathe::block {

inline constexpr int kCodesTogether = 16;  // of a block

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

// Eight codes in kBits bytes, the first one lowest.
template <int kBits>
[[gnu::always_inline]] inline std::uint64_t eight_codes(const Byte* from) {
  std::uint64_t codes = 0;
  __builtin_memcpy(&codes, from, kBits);
  return codes;
}

#ifdef __AVX2__
// Of code j of sixteen, the two bytes that its bits lie in, as bytes of a dword, and how far up.
struct CodePlaces {
  alignas(64) Byte bytes[64];
  alignas(64) int shifts[16];
};
constexpr CodePlaces code_places(int bits) {
  constexpr Byte kNone = 0x80;
  CodePlaces places{};
  for (int j = 0; j < kCodesTogether; ++j) {
    const int byte = j * bits / 8;
    for (int i = 0; i < 4; ++i) {
      const bool there = i < 2 && byte + i < 2 * bits;
      places.bytes[4 * j + i] = there ? static_cast<Byte>(byte + i) : kNone;
    }
    places.shifts[j] = j * bits % 8;
  }
  return places;
}
template <int kBits>
inline constexpr CodePlaces kCodePlaces = code_places(kBits);

// The bytes of sixteen codes, and others behind them: where codes have as few bits as two, at most
// 14 lie behind the last ones, and a table and its head do. Of one bit they are no more than two.
template <int kBits>
[[gnu::always_inline]] inline __m128i code_bytes(const Byte* from) {
  if constexpr (kBits == 1) {
    return _mm_cvtsi32_si128(word_at(from));
  } else {
    return _mm_loadu_si128(reinterpret_cast<const __m128i*>(from));
  }
}

// Eight codes to a dword each, the lowest bits: those above are others' unless kMasked. With half
// = 1 the second eight of sixteen.
template <int kBits, bool kMasked>
[[gnu::always_inline]] inline __m256i eight_dwords(const Byte* from, int half) {
  const __m256i both = _mm256_broadcastsi128_si256(code_bytes<kBits>(from));
  const auto* const bytes = reinterpret_cast<const __m256i*>(kCodePlaces<kBits>.bytes);
  const auto* const shifts = reinterpret_cast<const __m256i*>(kCodePlaces<kBits>.shifts);
  const __m256i words = _mm256_shuffle_epi8(both, _mm256_load_si256(bytes + half));
  const __m256i codes = _mm256_srlv_epi32(words, _mm256_load_si256(shifts + half));
  return kMasked ? _mm256_and_si256(codes, _mm256_set1_epi32((1 << kBits) - 1)) : codes;
}

// Of sixteen levels, those that the lowest four bits name.
[[gnu::always_inline]] inline __m256 eight_of_sixteen(__m256i codes, const float* levels) {
  const __m256 low = _mm256_permutevar8x32_ps(_mm256_loadu_ps(levels), codes);
  const __m256 high = _mm256_permutevar8x32_ps(_mm256_loadu_ps(levels + 8), codes);
  return _mm256_blendv_ps(low, high, _mm256_castsi256_ps(_mm256_slli_epi32(codes, 28)));
}
#endif

#ifdef __AVX512F__
// As eight_dwords(), all sixteen. With masks that leave all: GCC 12 warns of its own header's
// undefined vectors without.
template <int kBits, bool kMasked>
[[gnu::always_inline]] inline __m512i sixteen_dwords(const Byte* from) {
  const __m512i all = _mm512_maskz_broadcast_i32x4(0xffff, code_bytes<kBits>(from));
  const __m512i words =
      _mm512_maskz_shuffle_epi8(~__mmask64{0}, all, _mm512_load_si512(kCodePlaces<kBits>.bytes));
  const __m512i codes =
      _mm512_maskz_srlv_epi32(0xffff, words, _mm512_load_si512(kCodePlaces<kBits>.shifts));
  return kMasked ? _mm512_maskz_and_epi32(0xffff, codes, _mm512_set1_epi32((1 << kBits) - 1))
                 : codes;
}
#endif

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
