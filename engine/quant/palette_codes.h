// The codes of palettes (palette_decode.h) out of their stream of bits, sixteen to a block. For the
// decoders alone: always inlined, as those are.
#pragma once

#include <cstdint>

#include "engine/quant/block_bits.h"

namespace lathe::block {

inline constexpr int kCodesTogether = 16;

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

}  // namespace lathe::block
