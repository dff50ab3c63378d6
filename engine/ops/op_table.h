// A back end is a table of functions, one per op; a missing entry *is* "unsupported". There is no
// second list.
#pragma once

#include <array>
#include <string_view>

#include "engine/ops/op_args.h"

namespace lathe {

class Backend;

struct OpTable {
#define OP(name, Args) void (*name)(Backend&, const Args&) = nullptr;
#include "engine/ops/op_list.inl"
#undef OP
};

inline constexpr std::array kOpNames{
#define OP(name, Args) std::string_view(#name),
#include "engine/ops/op_list.inl"
#undef OP
};
inline constexpr int kOpCount = static_cast<int>(kOpNames.size());

// Floating-point operations and bytes of memory traffic that an op needs at the least.
struct OpCost {
  double flops = 0;
  double bytes = 0;
};

// The shape rule of each op: aborts by CHECK when the arguments do not fit together (our bug).
#define OP(name, Args) void validate(const Args& args);
#include "engine/ops/op_list.inl"
#undef OP

// The cost of each op (2 flops per multiply-add; a transcendental counts as one flop).
#define OP(name, Args) OpCost cost(const Args& args);
#include "engine/ops/op_list.inl"
#undef OP

}  // namespace lathe
