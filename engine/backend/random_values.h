// The values of random_fill, shared by all back ends on the host so that they agree bit for bit.
#pragma once

#include <cstdint>

#include "engine/ops/op_args.h"

namespace lathe {

// Writes elements [first, first + count) of args.out.
void write_random_values(const RandomFillArgs& args, std::int64_t first, std::int64_t count);

}  // namespace lathe
