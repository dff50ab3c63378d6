// The shortest way from stored rows to their products with one vector.
#pragma once

#include "engine/backend/cpu/simd/kernels.h"

namespace lathe::cpu::LATHE_ISA {

// Fills weight.sums, if there is such a way for one x and this type and width.
bool packed_dot(const PackedRows& weight);

// The same of nf4 and nf4_dq alone, where the instruction set has a way of its own for them.
bool nf4_rows(const PackedRows& weight);
bool nf4_dq_rows(const PackedRows& weight);
// And of palettes of single weights.
bool palette_rows(const PackedRows& weight);

}  // namespace lathe::cpu::LATHE_ISA
