// A block of a type whose levels lie on a grid, step by step: the grid that its values ask for, the
// nearest level of a value, the bytes. What rounds to nearest does so in one go (encode_row());
// GPTQ chooses a grid first and levels one column after the other.
#pragma once

#include <cstddef>
#include <cstdint>
#include <span>

#include "engine/quant/stored_type.h"

namespace lathe {

// nf4 and every intB_gG.
constexpr bool has_grid(StoredType type) {
  return type == StoredType::kNf4 || group_form(type).bits > 0;
}

// What a block stores beside its codes, as a reader will see it. intB_gG: a value is
// scale * (code - 2^(B-1)) + offset. nf4: scale * level of the code; the offset is 0.
struct BlockGrid {
  float scale = 0;
  float offset = 0;
};

// From the minimum to the maximum of the values (intB_gG), or to their largest magnitude (nf4).
// Precondition of all: has_grid(type).
BlockGrid grid_of(StoredType type, std::span<const float> values);
// 0 for a value that is not a number.
std::uint8_t nearest_code(StoredType type, const BlockGrid& grid, float value);
float value_of(StoredType type, const BlockGrid& grid, std::uint8_t code);
// The same of a whole block, one code to a value.
void nearest_codes(StoredType type, const BlockGrid& grid, std::span<const float> values,
                   std::uint8_t* codes);
void values_of(StoredType type, const BlockGrid& grid, std::span<const std::uint8_t> codes,
               float* values);
// Writes the block's bytes; one code per element.
void put_block(StoredType type, const BlockGrid& grid, std::span<const std::uint8_t> codes,
               std::byte* out);

}  // namespace lathe
