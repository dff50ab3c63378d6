// The angle by which rotary positions turn a pair of channels from one position to the next.
#pragma once

#include <cstdint>

#include "engine/ops/op_args.h"

namespace lathe {

// Radians a position of pair `pair`: theta^(-2 pair / head_dim), stretched as args.scaling says.
double rope_frequency(const RopeArgs& args, std::int64_t pair, std::int64_t head_dim);

}  // namespace lathe
