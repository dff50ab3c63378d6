// Encoders of the types that are exported, one function per type.
#include <algorithm>
#include <array>
#include <cmath>
#include <cstring>

#include "engine/base/check.h"
#include "engine/quant/block_codec.h"
#include "engine/quant/block_grid.h"
#include "engine/quant/half.h"

namespace lathe {
namespace {

using Bytes = std::uint8_t*;

// Stores a half and gives the value that a reader will see.
float put_half(float value, Bytes at) {
  const std::uint16_t bits = half_of_float(value);
  std::memcpy(at, &bits, sizeof bits);
  return float_of_half(bits);
}

float inverse(float value) {
  return value == 0.0f ? 0.0f : 1.0f / value;
}

// Whether a block holds no more values than four bits tell apart, as one that was stored so before.
bool has_few_values(const float* x) {
  std::array<float, 32> sorted;
  std::copy_n(x, 32, sorted.begin());
  std::sort(sorted.begin(), sorted.end());
  return std::unique(sorted.begin(), sorted.end()) - sorted.begin() <= 16;
}

float squared_error_q8_0(const float* x, float scale) {
  constexpr float kRounder = 12582912.0f;  // 1.5 * 2^23: adding it rounds to whole numbers
  const float inverted = inverse(scale);
  const float stored = float_of_half(half_of_float(scale));
  float sum = 0;
  for (int i = 0; i < 32; ++i) {
    const float whole = (x[i] * inverted + kRounder) - kRounder;
    const float error = x[i] - whole * stored;
    sum += error * error;
  }
  return sum;
}

// Values on a coarse grid are best kept by a scale that divides its step. Their largest value is
// then some whole number of steps, not always the 127 of a block that could be anything.
float grid_scale_q8_0(const float* x, float largest) {
  constexpr int kFewestSteps = 64;
  float best_scale = largest / 127.0f;
  float best = squared_error_q8_0(x, best_scale);
  for (int steps = 126; steps >= kFewestSteps; --steps) {
    const float scale = largest / static_cast<float>(steps);
    const float error = squared_error_q8_0(x, scale);
    best_scale = error < best ? scale : best_scale;
    best = std::min(best, error);
  }
  return best_scale;
}

void encode_q8_0(const float* x, Bytes block) {
  float largest = 0;
  for (int i = 0; i < 32; ++i) {
    largest = std::max(largest, std::abs(x[i]));
  }
  const float scale = has_few_values(x) ? grid_scale_q8_0(x, largest) : largest / 127.0f;
  put_half(scale, block);
  for (int i = 0; i < 32; ++i) {
    block[2 + i] = static_cast<std::uint8_t>(std::lround(x[i] * inverse(scale)));
  }
}

std::uint8_t quant_of(float value, float highest) {
  return static_cast<std::uint8_t>(std::clamp(value, 0.0f, highest));
}

void encode_q4_0(const float* x, Bytes block) {
  float extreme = 0;  // of largest magnitude, with its sign: it is met exactly
  for (int i = 0; i < 32; ++i) {
    extreme = std::abs(x[i]) > std::abs(extreme) ? x[i] : extreme;
  }
  const float scale = extreme / -8.0f;
  put_half(scale, block);
  const float inverted = inverse(scale);
  for (int i = 0; i < 16; ++i) {
    const std::uint8_t low = quant_of(x[i] * inverted + 8.5f, 15);
    const std::uint8_t high = quant_of(x[i + 16] * inverted + 8.5f, 15);
    block[2 + i] = static_cast<std::uint8_t>(low | (high << 4));
  }
}

void encode_q4_1(const float* x, Bytes block) {
  const auto [lowest, highest] = std::minmax_element(x, x + 32);
  const float scale = (*highest - *lowest) / 15.0f;
  put_half(scale, block);
  put_half(*lowest, block + 2);
  const float inverted = inverse(scale);
  for (int i = 0; i < 16; ++i) {
    const std::uint8_t low = quant_of((x[i] - *lowest) * inverted + 0.5f, 15);
    const std::uint8_t high = quant_of((x[i + 16] - *lowest) * inverted + 0.5f, 15);
    block[4 + i] = static_cast<std::uint8_t>(low | (high << 4));
  }
}

// The scale for 16 values in -32..31 with the least squared error, weighted by their squares, of
// those around the one that meets the extreme; for a given rounding the best scale is closed form.
float best_q6_scale(const float* x) {
  float extreme = 0;
  for (int i = 0; i < 16; ++i) {
    extreme = std::abs(x[i]) > std::abs(extreme) ? x[i] : extreme;
  }
  if (extreme == 0.0f) {
    return 0.0f;
  }
  float best = 0;
  float best_gain = -1;
  for (int step = -9; step <= 9; ++step) {
    const float inverted = -(32.0f + 0.1f * static_cast<float>(step)) / extreme;
    float dot = 0;
    float squares = 0;
    for (int i = 0; i < 16; ++i) {
      const float quant = std::clamp(std::nearbyint(inverted * x[i]), -32.0f, 31.0f);
      const float weight = x[i] * x[i];
      dot += weight * x[i] * quant;
      squares += weight * quant * quant;
    }
    // Error is sum w x^2 - dot^2 / squares: the gain is what it falls by.
    const float gain = squares > 0 ? dot * dot / squares : 0;
    if (gain > best_gain) {
      best_gain = gain;
      best = squares > 0 ? dot / squares : 0;
    }
  }
  return best;
}

// The quant of element i of a run of 128 goes to its nibble and its two high bits.
void put_q6(Bytes low, Bytes high, int i, unsigned value) {
  const int part = i / 32;
  const auto nibble = static_cast<std::uint8_t>(value & 15U);
  const auto two = static_cast<std::uint8_t>(value >> 4U);
  std::uint8_t& byte = low[part < 2 ? i : i - 64];
  byte = static_cast<std::uint8_t>(byte | (part < 2 ? nibble : nibble << 4U));
  high[i % 32] = static_cast<std::uint8_t>(high[i % 32] | (two << (2 * part)));
}

void encode_q6_k(const float* x, Bytes block) {
  std::memset(block, 0, 210);
  std::array<float, 16> scales{};
  float extreme = 0;
  for (int group = 0; group < 16; ++group) {
    scales[static_cast<std::size_t>(group)] = best_q6_scale(x + 16 * group);
    const float scale = scales[static_cast<std::size_t>(group)];
    extreme = std::abs(scale) > std::abs(extreme) ? scale : extreme;
  }
  const float top = put_half(extreme / -128.0f, block + 208);
  for (int group = 0; group < 16; ++group) {
    const float wanted = scales[static_cast<std::size_t>(group)] * inverse(top);
    const auto packed =
        static_cast<std::int8_t>(std::clamp(std::nearbyint(wanted), -128.0f, 127.0f));
    block[192 + group] = static_cast<std::uint8_t>(packed);
    const float inverted = inverse(top * static_cast<float>(packed));
    for (int i = 16 * group; i < 16 * (group + 1); ++i) {
      const float quant = std::clamp(std::nearbyint(x[i] * inverted), -32.0f, 31.0f);
      put_q6(block + 64 * (i / 128), block + 128 + 32 * (i / 128), i % 128,
             static_cast<unsigned>(static_cast<int>(quant) + 32));
    }
  }
}

void encode_f16(const float* x, Bytes out) {
  put_half(*x, out);
}

void encode_bf16(const float* x, Bytes out) {
  const std::uint16_t bits = bf16_of_float(*x);
  std::memcpy(out, &bits, sizeof bits);
}

void encode_f32(const float* x, Bytes out) {
  std::memcpy(out, x, sizeof *x);
}

void encode_on_grid(StoredType type, std::span<const float> x, std::byte* out) {
  std::array<std::uint8_t, 128> codes;
  const BlockGrid grid = grid_of(type, x);
  nearest_codes(type, grid, x, codes.data());
  put_block(type, grid, std::span(codes).first(x.size()), out);
}

using EncodeBlock = void (*)(const float*, Bytes);
constexpr std::array<EncodeBlock, kStoredTypeCount> kEncoders{
    encode_f32, encode_f16, encode_bf16, encode_q8_0, encode_q4_0, encode_q4_1,
    nullptr,    nullptr,    nullptr,     nullptr,     encode_q6_k};

}  // namespace

bool can_encode(StoredType type) {
  return has_grid(type) || kEncoders[static_cast<std::size_t>(type)] != nullptr;
}

void encode_row(StoredType type, const float* values, std::byte* out, std::int64_t elements) {
  const StoredTypeInfo& info = info_of(type);
  CHECK(elements % info.block_elements == 0, "whole blocks");
  CHECK(can_encode(type), "a type that is written here");
  if (has_grid(type)) {
    const std::span<const float> all(values, static_cast<std::size_t>(elements));
    const auto width = static_cast<std::size_t>(info.block_elements);
    for (std::size_t i = 0; i < all.size(); i += width) {
      encode_on_grid(type, all.subspan(i, width), out);
      out += info.block_bytes;
    }
    return;
  }
  const EncodeBlock encode = kEncoders[static_cast<std::size_t>(type)];
  auto* block = reinterpret_cast<Bytes>(out);
  for (std::int64_t i = 0; i < elements; i += info.block_elements) {
    encode(values + i, block);
    block += info.block_bytes;
  }
}

}  // namespace lathe
