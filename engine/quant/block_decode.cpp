// Decoders of the block layouts, one function per type.
#include <array>
#include <cstring>

#include "engine/base/check.h"
#include "engine/quant/block_codec.h"
#include "engine/quant/half.h"

namespace lathe {
namespace {

using Bytes = const std::uint8_t*;

float half_at(Bytes at) {
  std::uint16_t bits = 0;
  std::memcpy(&bits, at, sizeof bits);
  return float_of_half(bits);
}

std::uint32_t word_at(Bytes at) {
  std::uint32_t bits = 0;
  std::memcpy(&bits, at, sizeof bits);
  return bits;
}

void decode_q8_0(Bytes block, float* out) {
  const float scale = half_at(block);
  for (int i = 0; i < 32; ++i) {
    out[i] = scale * static_cast<float>(static_cast<std::int8_t>(block[2 + i]));
  }
}

// Element j in the low half of byte j, j + 16 in the high half.
void decode_q4_0(Bytes block, float* out) {
  const float scale = half_at(block);
  for (int i = 0; i < 16; ++i) {
    const int quants = block[2 + i];
    out[i] = scale * static_cast<float>((quants & 15) - 8);
    out[i + 16] = scale * static_cast<float>((quants >> 4) - 8);
  }
}

void decode_q4_1(Bytes block, float* out) {
  const float scale = half_at(block);
  const float lowest = half_at(block + 2);
  for (int i = 0; i < 16; ++i) {
    const int quants = block[4 + i];
    out[i] = scale * static_cast<float>(quants & 15) + lowest;
    out[i + 16] = scale * static_cast<float>(quants >> 4) + lowest;
  }
}

// The fifth bits stand together in a word before the halves.
void decode_q5(Bytes quants, std::uint32_t fifth, float scale, float offset, float* out) {
  for (int i = 0; i < 16; ++i) {
    const unsigned low = (quants[i] & 15U) | (((fifth >> i) & 1U) << 4U);
    const unsigned high = (quants[i] >> 4U) | (((fifth >> (i + 16)) & 1U) << 4U);
    out[i] = scale * static_cast<float>(low) + offset;
    out[i + 16] = scale * static_cast<float>(high) + offset;
  }
}

void decode_q5_0(Bytes block, float* out) {
  const float scale = half_at(block);
  decode_q5(block + 6, word_at(block + 2), scale, -16.0f * scale, out);
}

void decode_q5_1(Bytes block, float* out) {
  decode_q5(block + 8, word_at(block + 4), half_at(block), half_at(block + 2), out);
}

struct ScaleMin {
  float scale = 0;
  float lowest = 0;
};

// Eight 6-bit scales and minima in twelve bytes (Q4_K, Q5_K).
ScaleMin packed_scale(int index, Bytes packed) {
  unsigned scale = 0;
  unsigned lowest = 0;
  if (index < 4) {
    scale = packed[index] & 63U;
    lowest = packed[index + 4] & 63U;
  } else {
    scale = (packed[index + 4] & 15U) | ((packed[index - 4] >> 6U) << 4U);
    lowest = (packed[index + 4] >> 4U) | ((packed[index] >> 6U) << 4U);
  }
  return {static_cast<float>(scale), static_cast<float>(lowest)};
}

// Four runs of 64: 32 bytes hold the low halves of the first 32 elements and the high halves of the
// next. `fifth` (null for Q4_K) holds one bit per element, a bit place per half run.
void decode_k(Bytes block, Bytes fifth, Bytes quants, float* out) {
  const float scale = half_at(block);
  const float lowest = half_at(block + 2);
  for (int half = 0; half < 8; ++half) {
    const ScaleMin packed = packed_scale(half, block + 4);
    const Bytes run = quants + 32 * (half / 2);
    for (int i = 0; i < 32; ++i) {
      unsigned value = half % 2 == 0 ? run[i] & 15U : run[i] >> 4U;
      if (fifth != nullptr) {
        value |= ((fifth[i] >> half) & 1U) << 4U;
      }
      out[32 * half + i] =
          scale * packed.scale * static_cast<float>(value) - lowest * packed.lowest;
    }
  }
}

void decode_q4_k(Bytes block, float* out) {
  decode_k(block, nullptr, block + 16, out);
}

void decode_q5_k(Bytes block, float* out) {
  decode_k(block, block + 16, block + 48, out);
}

// Two runs of 128: four low bits from 64 bytes, two high bits from 32, a scale per 16 elements.
void decode_q6_k(Bytes block, float* out) {
  const float scale = half_at(block + 208);
  for (int run = 0; run < 2; ++run) {
    const Bytes low = block + 64 * run;
    const Bytes high = block + 128 + 32 * run;
    const Bytes scales = block + 192 + 8 * run;
    for (int i = 0; i < 128; ++i) {
      const int part = i / 32;  // 0 and 1 in the low halves, 2 and 3 in the high halves
      const unsigned nibble = part < 2 ? low[i] & 15U : low[i - 64] >> 4U;
      const unsigned two = (high[i % 32] >> (2 * part)) & 3U;
      const int value = static_cast<int>(nibble | (two << 4U)) - 32;
      const auto packed = static_cast<std::int8_t>(scales[i / 16]);
      out[128 * run + i] = scale * static_cast<float>(packed) * static_cast<float>(value);
    }
  }
}

void decode_f16(Bytes stored, float* out) {
  *out = half_at(stored);
}

void decode_bf16(Bytes stored, float* out) {
  std::uint16_t bits = 0;
  std::memcpy(&bits, stored, sizeof bits);
  *out = float_of_bf16(bits);
}

using DecodeBlock = void (*)(Bytes, float*);
constexpr std::array<DecodeBlock, kStoredTypeCount> kDecoders{
    nullptr,     decode_f16,  decode_bf16, decode_q8_0, decode_q4_0, decode_q4_1,
    decode_q5_0, decode_q5_1, decode_q4_k, decode_q5_k, decode_q6_k};

}  // namespace

void decode_row(StoredType type, const std::byte* stored, float* out, std::int64_t elements) {
  const StoredTypeInfo& info = info_of(type);
  CHECK(elements % info.block_elements == 0, "whole blocks");
  if (type == StoredType::kF32) {
    std::memcpy(out, stored, static_cast<std::size_t>(elements) * sizeof(float));
    return;
  }
  const DecodeBlock decode = kDecoders[static_cast<std::size_t>(type)];
  const auto* block = reinterpret_cast<Bytes>(stored);
  for (std::int64_t i = 0; i < elements; i += info.block_elements) {
    decode(block, out + i);
    block += info.block_bytes;
  }
}

}  // namespace lathe
