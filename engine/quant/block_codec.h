// Rows of stored numbers to floats and back; of types with tables stored_matrix.h alone knows.
// Block layouts: ggml's (ggml-common.h), and block_grid.h.
#pragma once

#include <cstddef>
#include <cstdint>

#include "engine/quant/stored_type.h"

namespace lathe {

// `elements` floats from stored blocks. Precondition: whole blocks of a type without
// tables; `stored` holds stored_bytes(type, elements) bytes.
void decode_row(StoredType type, const std::byte* stored, float* out, std::int64_t elements);

// Whether encode_row() writes this type.
bool can_encode(StoredType type);

// Writes stored_bytes(type, elements) bytes. Rounding: f16, bf16 to nearest even; q8_0 d =
// max|x|/127, and for blocks of at most 16 different values (which come from 4 bits) the max|x|/n
// of least squared error, n from 64 to 127; q4_0 d = the value of largest magnitude / -8; q4_1 from
// minimum to maximum; q6_k the scale per 16 elements with the least squared error of those tried;
// nf4 and intB_gG as grid_of() and nearest_code() say.
// Precondition: whole blocks, can_encode(type).
void encode_row(StoredType type, const float* values, std::byte* out, std::int64_t elements);

}  // namespace lathe
