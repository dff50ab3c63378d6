// The tile of attention, apart from op_args.h so that kernels which are compiled once per
// instruction set see no standard library code.
#pragma once

#include <cstdint>

namespace lathe {

// Rows of queries or keys that attention handles together.
inline constexpr std::int64_t kAttentionTile = 64;

}  // namespace lathe
