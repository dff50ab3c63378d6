// Things packed in stored blocks: 16-bit floats, nibbles, fifth bits. For block_decode.h alone.
#pragma once

#ifdef __F16C__
#include <immintrin.h>
#endif

#include <cstdint>

#include "engine/quant/half.h"
#include "engine/quant/nf4.h"

namespace lathe::block {

using Byte = unsigned char;

[[gnu::always_inline]] inline std::uint16_t word_at(const Byte* bytes) {
  std::uint16_t word = 0;
  __builtin_memcpy(&word, bytes, sizeof word);
  return word;
}

[[gnu::always_inline]] inline float half_at(const Byte* bytes) {
#ifdef __F16C__
  return _cvtsh_ss(word_at(bytes));
#else
  return float_of_half(word_at(bytes));
#endif
}

// Full registers by the processor's conversion where it has one; the rest, or all, one by one.
[[gnu::always_inline]] inline void decode_f16(const Byte* from, float* out, std::int64_t count) {
  std::int64_t i = 0;
#ifdef __F16C__
  for (; i + 8 <= count; i += 8) {
    __m128i halves;
    __builtin_memcpy(&halves, from + 2 * i, sizeof halves);
    const __m256 floats = _mm256_cvtph_ps(halves);
    __builtin_memcpy(out + i, &floats, sizeof floats);
  }
#endif
  for (; i < count; ++i) {
    out[i] = half_at(from + 2 * i);
  }
}

// Sixteen bytes; every processor that this is compiled for has such registers.
using Bytes16 [[gnu::vector_size(16)]] = unsigned char;

[[gnu::always_inline]] inline Bytes16 load16(const Byte* from) {
  Bytes16 bytes;
  __builtin_memcpy(&bytes, from, sizeof bytes);
  return bytes;
}
[[gnu::always_inline]] inline void store_floats(float* to, const void* from, int count) {
  __builtin_memcpy(to, from, static_cast<std::size_t>(count) * sizeof(float));
}

// Sixteen int8 levels to level * scale, or to level * scale + offset. By name where the processor
// has an instruction for it: compilers do not find it from loops over bytes in registers.
template <bool kOffset>
[[gnu::always_inline]] inline void widen(Bytes16 levels, float scale, float offset, float* out) {
#ifdef __AVX2__
  const __m128i upper = _mm_srli_si128((__m128i)levels, 8);
  const __m256 first = _mm256_cvtepi32_ps(_mm256_cvtepi8_epi32((__m128i)levels)) * scale;
  const __m256 second = _mm256_cvtepi32_ps(_mm256_cvtepi8_epi32(upper)) * scale;
  const __m256 moved[2] = {kOffset ? first + offset : first, kOffset ? second + offset : second};
  store_floats(out, moved, 16);
#else
  for (int i = 0; i < 16; ++i) {
    const float wide = static_cast<float>(static_cast<std::int8_t>(levels[i])) * scale;
    out[i] = kOffset ? wide + offset : wide;
  }
#endif
}

// 32 elements in sixteen nibble bytes: byte j holds elements j and j + 16.
struct Levels32 {
  Bytes16 first, second;
};
[[gnu::always_inline]] inline Levels32 nibbles_at(const Byte* nibbles) {
  const Bytes16 both = load16(nibbles);
  return {both & 15, both >> 4};
}

// 32 elements in sixteen bytes, element 2 k in the upper half of byte k: their NF4 levels times
// `scale`.
[[gnu::always_inline]] inline void nf4_values(Bytes16 nibbles, float scale, float* out) {
  const Bytes16 even = nibbles >> 4;
  const Bytes16 odd = nibbles & 15;
#ifdef __AVX2__
  const __m128i halves[2] = {_mm_unpacklo_epi8((__m128i)even, (__m128i)odd),
                             _mm_unpackhi_epi8((__m128i)even, (__m128i)odd)};
  for (int half = 0; half < 2; ++half) {
#ifdef __AVX512F__
    // With masks that leave all: GCC 12 warns of its own header's undefined vectors without.
    const __m512i codes = _mm512_maskz_cvtepu8_epi32(0xffff, halves[half]);
    const __m512 levels =
        _mm512_maskz_permutexvar_ps(0xffff, codes, _mm512_loadu_ps(kNf4Levels.data()));
    _mm512_storeu_ps(out + 16 * half, levels * scale);
#else
    for (int part = 0; part < 2; ++part) {
      const __m256i codes =
          _mm256_cvtepu8_epi32(part == 0 ? halves[half] : _mm_srli_si128(halves[half], 8));
      const __m256 low = _mm256_permutevar8x32_ps(_mm256_loadu_ps(kNf4Levels.data()), codes);
      const __m256 high = _mm256_permutevar8x32_ps(_mm256_loadu_ps(kNf4Levels.data() + 8), codes);
      const __m256 upper = _mm256_castsi256_ps(_mm256_slli_epi32(codes, 28));
      _mm256_storeu_ps(out + 16 * half + 8 * part, _mm256_blendv_ps(low, high, upper) * scale);
    }
#endif
  }
#else
  for (int k = 0; k < 16; ++k) {
    out[2 * k] = kNf4Levels[even[k]] * scale;
    out[2 * k + 1] = kNf4Levels[odd[k]] * scale;
  }
#endif
}

// 32 elements in eight bytes: byte j holds elements j, j + 8, j + 16 and j + 24.
[[gnu::always_inline]] inline Levels32 pairs_at(const Byte* pairs) {
  constexpr std::uint64_t kEachPair = 0x0303030303030303u;
  std::uint64_t word = 0;
  __builtin_memcpy(&word, pairs, sizeof word);
  const std::uint64_t words[4] = {word & kEachPair, word >> 2 & kEachPair, word >> 4 & kEachPair,
                                  word >> 6 & kEachPair};
  Levels32 levels;
  __builtin_memcpy(&levels, words, sizeof levels);
  return levels;
}

// Byte i is 16 where bit i of two bytes is set.
[[gnu::always_inline]] inline Bytes16 fifth_bits_at(const Byte* bits) {
  constexpr std::uint64_t kEachByte = 0x0101010101010101u;
  constexpr std::uint64_t kEachBit = 0x8040201008040201u;
  const std::uint64_t words[2] = {bits[0] * kEachByte & kEachBit, bits[1] * kEachByte & kEachBit};
  Bytes16 set;
  __builtin_memcpy(&set, words, sizeof set);
  return (Bytes16)(set != 0) & 16;
}

}  // namespace lathe::block
