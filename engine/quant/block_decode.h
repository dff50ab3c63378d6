// One block of each stored type to f32, as loops of fixed length that compilers vectorise. For
// block_codec.cpp and the kernels alone: always inlined, because those exist in copies compiled for
// several instruction sets. Layouts: ggml's ggml-common.h and ggml-quants.c.
#pragma once

#include <cstdint>

#include "engine/quant/half.h"
#include "engine/tensor/dtype.h"

namespace lathe::block {

using Byte = unsigned char;

[[gnu::always_inline]] inline std::uint16_t word_at(const Byte* bytes) {
  std::uint16_t word = 0;
  __builtin_memcpy(&word, bytes, sizeof word);
  return word;
}

[[gnu::always_inline]] inline float half_at(const Byte* bytes) {
  return float_of_half(word_at(bytes));
}

[[gnu::always_inline]] inline int low(Byte byte) {
  return byte & 15;
}
[[gnu::always_inline]] inline int high(Byte byte) {
  return byte >> 4;
}

[[gnu::always_inline]] inline void decode_q8_0(const Byte* block, float* out) {
  const float d = half_at(block);
  for (int i = 0; i < 32; ++i) {
    out[i] = static_cast<float>(static_cast<std::int8_t>(block[2 + i])) * d;
  }
}

// Byte j of the nibbles holds elements j and j + 16.
[[gnu::always_inline]] inline void decode_q4_0(const Byte* block, float* out) {
  const float d = half_at(block);
  for (int i = 0; i < 16; ++i) {
    out[i] = static_cast<float>(low(block[2 + i]) - 8) * d;
    out[i + 16] = static_cast<float>(high(block[2 + i]) - 8) * d;
  }
}

[[gnu::always_inline]] inline void decode_q4_1(const Byte* block, float* out) {
  const float d = half_at(block);
  const float m = half_at(block + 2);
  for (int i = 0; i < 16; ++i) {
    out[i] = static_cast<float>(low(block[4 + i])) * d + m;
    out[i + 16] = static_cast<float>(high(block[4 + i])) * d + m;
  }
}

// The fifth bit of element `i`, in its place.
[[gnu::always_inline]] inline int fifth_bit(std::uint32_t bits, int i) {
  return static_cast<int>(bits >> i << 4 & 16u);
}

[[gnu::always_inline]] inline std::uint32_t fifth_bits(const Byte* bytes) {
  std::uint32_t bits = 0;
  __builtin_memcpy(&bits, bytes, sizeof bits);
  return bits;
}

[[gnu::always_inline]] inline void decode_q5_0(const Byte* block, float* out) {
  const float d = half_at(block);
  const std::uint32_t fifth = fifth_bits(block + 2);
  for (int i = 0; i < 16; ++i) {
    out[i] = static_cast<float>((low(block[6 + i]) | fifth_bit(fifth, i)) - 16) * d;
    out[i + 16] = static_cast<float>((high(block[6 + i]) | fifth_bit(fifth, i + 16)) - 16) * d;
  }
}

[[gnu::always_inline]] inline void decode_q5_1(const Byte* block, float* out) {
  const float d = half_at(block);
  const float m = half_at(block + 2);
  const std::uint32_t fifth = fifth_bits(block + 4);
  for (int i = 0; i < 16; ++i) {
    out[i] = static_cast<float>(low(block[8 + i]) | fifth_bit(fifth, i)) * d + m;
    out[i + 16] = static_cast<float>(high(block[8 + i]) | fifth_bit(fifth, i + 16)) * d + m;
  }
}

// Step and minimum of sub-block j of a q4_k or q5_k block: d and dmin times two of the sixteen
// 6-bit numbers in the twelve bytes behind them.
struct SubBlock {
  float step;
  float min;
};
[[gnu::always_inline]] inline SubBlock sub_block(const Byte* block, int j) {
  const Byte* packed = block + 4;
  const int scale = j < 4 ? packed[j] & 63 : low(packed[j + 4]) | packed[j - 4] >> 6 << 4;
  const int min = j < 4 ? packed[j + 4] & 63 : high(packed[j + 4]) | packed[j] >> 6 << 4;
  return {half_at(block) * static_cast<float>(scale), half_at(block + 2) * static_cast<float>(min)};
}

// d, dmin, twelve bytes of scales, 128 of nibbles: 32 bytes hold two sub-blocks of 32.
[[gnu::always_inline]] inline void decode_q4_k(const Byte* block, float* out) {
  for (int pair = 0; pair < 4; ++pair) {
    const SubBlock first = sub_block(block, 2 * pair);
    const SubBlock second = sub_block(block, 2 * pair + 1);
    const Byte* nibbles = block + 16 + 32 * pair;
    for (int i = 0; i < 32; ++i) {
      out[64 * pair + i] = first.step * static_cast<float>(low(nibbles[i])) - first.min;
      out[64 * pair + 32 + i] = second.step * static_cast<float>(high(nibbles[i])) - second.min;
    }
  }
}

// As q4_k, with 32 bytes of fifth bits before the nibbles: bit j of byte i is of element 32 j + i.
[[gnu::always_inline]] inline void decode_q5_k(const Byte* block, float* out) {
  const Byte* fifth = block + 16;
  for (int pair = 0; pair < 4; ++pair) {
    const SubBlock first = sub_block(block, 2 * pair);
    const SubBlock second = sub_block(block, 2 * pair + 1);
    const Byte* nibbles = block + 48 + 32 * pair;
    for (int i = 0; i < 32; ++i) {
      const int bits = fifth[i] >> (2 * pair);
      out[64 * pair + i] =
          first.step * static_cast<float>(low(nibbles[i]) | (bits & 1) << 4) - first.min;
      out[64 * pair + 32 + i] =
          second.step * static_cast<float>(high(nibbles[i]) | (bits & 2) << 3) - second.min;
    }
  }
}

// 128 bytes of low nibbles, 64 of upper pairs of bits, sixteen int8 scales, d. Each half of 128
// elements: 64 nibble bytes, 32 bytes of pairs, eight scales.
[[gnu::always_inline]] inline void decode_q6_k(const Byte* block, float* out) {
  const float d = half_at(block + 208);
  for (int part = 0; part < 2; ++part) {
    const Byte* nibbles = block + 64 * part;
    const Byte* pairs = block + 128 + 32 * part;
    const Byte* scales = block + 192 + 8 * part;
    for (int run = 0; run < 8; ++run) {
      const float scale = d * static_cast<float>(static_cast<std::int8_t>(scales[run]));
      const int quarter = run / 2;  // of 32 elements each
      const int start = 16 * (run % 2);
      const Byte* four = nibbles + 32 * (quarter % 2) + start;
      for (int i = 0; i < 16; ++i) {
        const int lower = quarter < 2 ? low(four[i]) : high(four[i]);
        const int upper = (pairs[start + i] >> (2 * quarter) & 3) << 4;
        out[128 * part + 16 * run + i] = scale * static_cast<float>((lower | upper) - 32);
      }
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
      for (std::int64_t i = 0; i < count; ++i) {
        out[i] = half_at(from + 2 * i);
      }
      return;
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
    case DType::kI32:
      return;  // no stored weight; block_codec.h refuses it
  }
}

}  // namespace lathe::block
