// What backward computes again of what forward had, rather than to have it kept.
#pragma once

#include <array>
#include <cstdint>
#include <string_view>

#include "engine/base/describe.h"

namespace lathe {

enum class Recompute : std::uint8_t {
  kNone,   // every input of a slot is kept that its gradient is made of
  kCheap,  // normalised inputs and what goes into down are computed again, no product is
  kBlocks  // a block keeps its input alone (Chen et al. 2016, arXiv 1604.06174)
};

template <>
struct EnumNames<Recompute> {
  static constexpr std::array<std::string_view, 3> names{"none", "cheap", "blocks"};
};

}  // namespace lathe
