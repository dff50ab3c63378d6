// The choices that tell one family of decoder-only transformers from another, with the names they
// have in a config.
#pragma once

#include <array>
#include <cstdint>
#include <string_view>

#include "engine/base/describe.h"
#include "engine/ops/activation_kind.h"
#include "engine/ops/rope_kind.h"

namespace lathe {

enum class NormKind : std::uint8_t { kRms, kLayer };
enum class PositionKind : std::uint8_t { kRope, kLearned };
enum class MlpKind : std::uint8_t { kSwiglu, kGelu, kGeluTanh };

template <>
struct EnumNames<NormKind> {
  static constexpr std::array<std::string_view, 2> names{"rms", "layer"};
};
template <>
struct EnumNames<PositionKind> {
  static constexpr std::array<std::string_view, 2> names{"rope", "learned"};
};
template <>
struct EnumNames<MlpKind> {
  static constexpr std::array<std::string_view, 3> names{"swiglu", "gelu", "gelu_tanh"};
};
// What may stand between two factors.
template <>
struct EnumNames<Activation> {
  static constexpr std::array<std::string_view, 5> names{"none", "relu", "gelu", "silu", "tanh"};
};
template <>
struct EnumNames<RopePairs> {
  static constexpr std::array<std::string_view, 2> names{"halves", "interleaved"};
};
template <>
struct EnumNames<RopeScalingKind> {
  static constexpr std::array<std::string_view, 3> names{"none", "linear", "llama3"};
};

}  // namespace lathe
