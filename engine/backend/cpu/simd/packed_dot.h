// The shortest way from a stored row to its product with one vector.
#pragma once

#include "engine/backend/cpu/simd/kernels.h"

namespace lathe::cpu::LATHE_ISA {

// Fills row.sums, if there is such a way for one x of this type and width.
bool packed_dot(const PackedRow& row);

}  // namespace lathe::cpu::LATHE_ISA
