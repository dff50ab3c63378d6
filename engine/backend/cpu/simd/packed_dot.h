// The shortest way from stored rows to their products with one vector.
#pragma once

#include "engine/backend/cpu/simd/kernels.h"

namespace lathe::cpu::LATHE_ISA {

// Fills weight.sums, if there is such a way for one x and this type and width.
bool packed_dot(const PackedRows& weight);

}  // namespace lathe::cpu::LATHE_ISA
