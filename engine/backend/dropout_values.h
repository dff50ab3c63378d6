// What dropout makes of elements, for back ends in host memory, which agree bit for bit;
// cuda/device/dropout.cuh is its twin.
#pragma once

#include <cstdint>

#include "engine/ops/dropout_args.h"

namespace lathe {

// Writes elements [first, first + count) of args.y.
void write_dropout(const DropoutArgs& args, std::int64_t first, std::int64_t count);

}  // namespace lathe
