// See block_grid.h.
#include "engine/quant/block_grid.h"

#include <algorithm>
#include <cmath>
#include <cstring>

#include "engine/base/check.h"
#include "engine/quant/half.h"
#include "engine/quant/nf4.h"

namespace lathe {
namespace {

constexpr std::size_t kRun = 32;  // elements whose bits lie together; block_decode.h

float as_half(float value) {
  return float_of_half(half_of_float(value));
}

float middle_code(int bits) {
  return static_cast<float>(1 << (bits - 1));
}

float inverse_scale(const BlockGrid& grid) {
  return grid.scale == 0.0f ? 0.0f : 1.0f / grid.scale;
}

// 1.5 * 2^23: adding it rounds to whole numbers, as std::nearbyint() does, without a call.
constexpr float kRounder = 12582912.0f;

std::uint8_t code_on_steps(float steps, float middle, float highest) {
  const float code = (steps + kRounder) - kRounder + middle;
  return static_cast<std::uint8_t>(std::min(std::max(0.0f, code), highest));
}

void put_half(float value, std::byte* at) {
  const std::uint16_t bits = half_of_float(value);
  std::memcpy(at, &bits, sizeof bits);
}

// Sets `width` bits of element i of a run, from bit `from` of its code on: i modulo the bytes of
// the plane says which byte, the rest which bits of it.
std::byte* put_plane(std::span<const std::uint8_t> codes, int from, int width, std::byte* plane) {
  const std::size_t bytes = kRun * static_cast<std::size_t>(width) / 8;
  const unsigned mask = (1u << width) - 1;
  std::fill_n(plane, bytes, std::byte{0});
  for (std::size_t i = 0; i < kRun; ++i) {
    const unsigned part = static_cast<unsigned>(codes[i]) >> from & mask;
    plane[i % bytes] |= static_cast<std::byte>(part << (i / bytes * static_cast<unsigned>(width)));
  }
  return plane + bytes;
}

// Bit i of the plane is of element i.
std::byte* put_single_bits(std::span<const std::uint8_t> codes, int from, std::byte* plane) {
  std::fill_n(plane, kRun / 8, std::byte{0});
  for (std::size_t i = 0; i < kRun; ++i) {
    plane[i / 8] |= static_cast<std::byte>((codes[i] >> from & 1u) << i % 8);
  }
  return plane + kRun / 8;
}

void put_group(int bits, const BlockGrid& grid, std::span<const std::uint8_t> codes,
               std::byte* out) {
  put_half(grid.scale, out);
  put_half(grid.offset, out + 2);
  std::byte* at = out + 4;
  for (std::size_t run = 0; run < codes.size(); run += kRun) {
    const std::span<const std::uint8_t> part = codes.subspan(run, kRun);
    int done = 0;
    for (; bits - done >= 4; done += 4) {
      at = put_plane(part, done, 4, at);
    }
    if (bits - done >= 2) {
      at = put_plane(part, done, 2, at);
      done += 2;
    }
    if (bits - done == 1) {
      at = put_single_bits(part, done, at);
    }
  }
}

// bitsandbytes' order: element 2k in the upper half of byte k.
void put_nf4(const BlockGrid& grid, std::span<const std::uint8_t> codes, std::byte* out) {
  std::memcpy(out, &grid.scale, sizeof grid.scale);
  for (std::size_t i = 0; i < codes.size(); i += 2) {
    out[4 + i / 2] = static_cast<std::byte>(codes[i] << 4 | codes[i + 1]);
  }
}

}  // namespace

BlockGrid grid_of(StoredType type, std::span<const float> values) {
  CHECK(has_grid(type), "a type with a grid");
  const auto [lowest, highest] = std::minmax_element(values.begin(), values.end());
  if (type == StoredType::kNf4) {
    return {std::max(std::abs(*lowest), std::abs(*highest)), 0};
  }
  const int bits = group_form(type).bits;
  const float scale = as_half((*highest - *lowest) / static_cast<float>((1 << bits) - 1));
  return {scale, as_half(*lowest + middle_code(bits) * scale)};
}

std::uint8_t nearest_code(StoredType type, const BlockGrid& grid, float value) {
  std::uint8_t code = 0;
  nearest_codes(type, grid, {&value, 1}, &code);
  return code;
}

float value_of(StoredType type, const BlockGrid& grid, std::uint8_t code) {
  float value = 0;
  values_of(type, grid, {&code, 1}, &value);
  return value;
}

void nearest_codes(StoredType type, const BlockGrid& grid, std::span<const float> values,
                   std::uint8_t* codes) {
  const float inverse = inverse_scale(grid);
  if (type == StoredType::kNf4) {
    for (std::size_t i = 0; i < values.size(); ++i) {
      codes[i] = nf4_code(values[i] * inverse);
    }
    return;
  }
  const int bits = group_form(type).bits;
  const float middle = middle_code(bits);
  const auto highest = static_cast<float>((1 << bits) - 1);
  for (std::size_t i = 0; i < values.size(); ++i) {
    codes[i] = code_on_steps((values[i] - grid.offset) * inverse, middle, highest);
  }
}

void values_of(StoredType type, const BlockGrid& grid, std::span<const std::uint8_t> codes,
               float* values) {
  if (type == StoredType::kNf4) {
    for (std::size_t i = 0; i < codes.size(); ++i) {
      values[i] = kNf4Levels[codes[i]] * grid.scale;
    }
    return;
  }
  const float middle = middle_code(group_form(type).bits);
  for (std::size_t i = 0; i < codes.size(); ++i) {
    values[i] = (static_cast<float>(codes[i]) - middle) * grid.scale + grid.offset;
  }
}

void put_block(StoredType type, const BlockGrid& grid, std::span<const std::uint8_t> codes,
               std::byte* out) {
  CHECK(has_grid(type) && codes.size() == static_cast<std::size_t>(info_of(type).block_elements),
        "a code for each element of a block");
  type == StoredType::kNf4 ? put_nf4(grid, codes, out)
                           : put_group(group_form(type).bits, grid, codes, out);
}

}  // namespace lathe
