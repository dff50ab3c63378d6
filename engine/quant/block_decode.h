// One block of each stored type to f32, as loops of fixed length that compilers vectorise. For
// block_codec.cpp and the kernels alone: always inlined, because those exist in copies compiled for
// several instruction sets. Layouts: ggml's ggml-common.h and ggml-quants.c.
#pragma once

#include <cstdint>

#include "engine/quant/block_bits.h"
#include "engine/quant/block_decode_grid.h"
#include "engine/tensor/dtype.h"

namespace lathe::block {

[[gnu::always_inline]] inline void decode_q8_0(const Byte* block, float* out) {
  const float d = half_at(block);
  widen<false>(load16(block + 2), d, 0.0f, out);
  widen<false>(load16(block + 18), d, 0.0f, out + 16);
}

[[gnu::always_inline]] inline void decode_q4_0(const Byte* block, float* out) {
  const float d = half_at(block);
  const Levels32 levels = nibbles_at(block + 2);
  widen<false>(levels.first - 8, d, 0.0f, out);
  widen<false>(levels.second - 8, d, 0.0f, out + 16);
}

[[gnu::always_inline]] inline void decode_q4_1(const Byte* block, float* out) {
  const float d = half_at(block);
  const float m = half_at(block + 2);
  const Levels32 levels = nibbles_at(block + 4);
  widen<true>(levels.first, d, m, out);
  widen<true>(levels.second, d, m, out + 16);
}

[[gnu::always_inline]] inline void decode_q5_0(const Byte* block, float* out) {
  const float d = half_at(block);
  const Levels32 levels = nibbles_at(block + 6);
  widen<false>((levels.first | fifth_bits_at(block + 2)) - 16, d, 0.0f, out);
  widen<false>((levels.second | fifth_bits_at(block + 4)) - 16, d, 0.0f, out + 16);
}

[[gnu::always_inline]] inline void decode_q5_1(const Byte* block, float* out) {
  const float d = half_at(block);
  const float m = half_at(block + 2);
  const Levels32 levels = nibbles_at(block + 8);
  widen<true>(levels.first | fifth_bits_at(block + 4), d, m, out);
  widen<true>(levels.second | fifth_bits_at(block + 6), d, m, out + 16);
}

// Step and minimum of sub-block j of a q4_k or q5_k block: d and dmin times two of the sixteen
// 6-bit numbers in the twelve bytes behind them.
struct SubBlock {
  float step;
  float min;
};
[[gnu::always_inline]] inline SubBlock sub_block(const Byte* block, int j) {
  const Byte* packed = block + 4;
  const int scale = j < 4 ? packed[j] & 63 : (packed[j + 4] & 15) | packed[j - 4] >> 6 << 4;
  const int min = j < 4 ? packed[j + 4] & 63 : packed[j + 4] >> 4 | packed[j] >> 6 << 4;
  return {half_at(block) * static_cast<float>(scale), half_at(block + 2) * static_cast<float>(min)};
}

// d, dmin, twelve bytes of scales, 128 of nibbles: 32 bytes hold two sub-blocks of 32.
[[gnu::always_inline]] inline void decode_q4_k(const Byte* block, float* out) {
  for (int pair = 0; pair < 4; ++pair) {
    const SubBlock first = sub_block(block, 2 * pair);
    const SubBlock second = sub_block(block, 2 * pair + 1);
    for (int i = 0; i < 32; i += 16) {
      const Levels32 levels = nibbles_at(block + 16 + 32 * pair + i);
      widen<true>(levels.first, first.step, -first.min, out + 64 * pair + i);
      widen<true>(levels.second, second.step, -second.min, out + 64 * pair + 32 + i);
    }
  }
}

// As q4_k, with 32 bytes of fifth bits before the nibbles: bit j of byte i is of element 32 j + i.
[[gnu::always_inline]] inline void decode_q5_k(const Byte* block, float* out) {
  for (int pair = 0; pair < 4; ++pair) {
    const SubBlock first = sub_block(block, 2 * pair);
    const SubBlock second = sub_block(block, 2 * pair + 1);
    for (int i = 0; i < 32; i += 16) {
      const Bytes16 fifth = load16(block + 16 + i) >> static_cast<Byte>(2 * pair);
      const Levels32 levels = nibbles_at(block + 48 + 32 * pair + i);
      widen<true>(levels.first | (fifth & 1) << 4, first.step, -first.min, out + 64 * pair + i);
      widen<true>(levels.second | (fifth & 2) << 3, second.step, -second.min,
                  out + 64 * pair + 32 + i);
    }
  }
}

// 128 bytes of low nibbles, 64 of upper pairs of bits, sixteen int8 scales, d. Each half of 128
// elements: 64 nibble bytes, 32 bytes of pairs, eight scales.
[[gnu::always_inline]] inline void decode_q6_k(const Byte* block, float* out) {
  const float d = half_at(block + 208);
  for (int run = 0; run < 4; ++run) {
    const int part = run / 2;
    const int start = 16 * (run % 2);
    const Bytes16 upper = load16(block + 128 + 32 * part + start);
    const Levels32 even = nibbles_at(block + 64 * part + start);
    const Levels32 odd = nibbles_at(block + 64 * part + 32 + start);
    const Bytes16 levels[4] = {even.first | (upper & 3) << 4, odd.first | (upper & 12) << 2,
                               even.second | (upper & 48), odd.second | (upper & 192) >> 2};
    for (int quarter = 0; quarter < 4; ++quarter) {
      const auto scale = static_cast<std::int8_t>(block[192 + 8 * part + 2 * quarter + run % 2]);
      widen<false>(levels[quarter] - 32, d * static_cast<float>(scale), 0.0f,
                   out + 128 * part + 32 * quarter + start);
    }
  }
}

template <std::int64_t kBytes, std::int64_t kElements, typename Decode>
[[gnu::always_inline]] inline void decode_blocks(const Byte* from, float* out, std::int64_t count,
                                                 const Decode& decode) {
  for (std::int64_t i = 0; i < count; i += kElements) {
    decode(from + i / kElements * kBytes, out + i);
  }
}

// `count` elements that are whole blocks.
[[gnu::always_inline]] inline void decode_run(DType dtype, const Byte* from, float* out,
                                              std::int64_t count) {
  switch (dtype) {
    case DType::kF32:
      __builtin_memcpy(out, from, static_cast<std::size_t>(count) * sizeof(float));
      return;
    case DType::kF16:
      return decode_f16(from, out, count);
    case DType::kBf16:
      for (std::int64_t i = 0; i < count; ++i) {
        out[i] = float_of_bf16(word_at(from + 2 * i));
      }
      return;
    case DType::kQ8_0:
      return decode_blocks<34, 32>(from, out, count, decode_q8_0);
    case DType::kQ4_0:
      return decode_blocks<18, 32>(from, out, count, decode_q4_0);
    case DType::kQ4_1:
      return decode_blocks<20, 32>(from, out, count, decode_q4_1);
    case DType::kQ5_0:
      return decode_blocks<22, 32>(from, out, count, decode_q5_0);
    case DType::kQ5_1:
      return decode_blocks<24, 32>(from, out, count, decode_q5_1);
    case DType::kQ4_K:
      return decode_blocks<144, 256>(from, out, count, decode_q4_k);
    case DType::kQ5_K:
      return decode_blocks<176, 256>(from, out, count, decode_q5_k);
    case DType::kQ6_K:
      return decode_blocks<210, 256>(from, out, count, decode_q6_k);
    case DType::kNf4:
      return decode_blocks<36, 64>(from, out, count, decode_nf4);
    case DType::kInt8Row:
    case DType::kNf4Double:
    case DType::kSpqr3:
    case DType::kSpqr4:
    case DType::kI32:
    case DType::kF64:
    case DType::kU8:
      return;  // no weight, or one with tables; block_codec.h refuses it
    default:
      return with_group(dtype, [&]<int kBits, int kGroup>() {
        decode_blocks<4 + kGroup / 8 * kBits, kGroup>(from, out, count,
                                                      decode_group<kBits, kGroup>);
      });
  }
}

}  // namespace lathe::block
