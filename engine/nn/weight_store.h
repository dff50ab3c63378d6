// How the matrices of a model that is trained are kept: linear slots, embedding and head. Gains,
// biases and learned positions are f32 always, and so are gradients and moments.
#pragma once

#include <array>
#include <cstdint>
#include <string_view>

#include "engine/base/describe.h"
#include "engine/tensor/dtype.h"

namespace lathe {

enum class WeightStore : std::uint8_t {
  kF32,
  kBf16Master,     // bf16 where the model computes, and an f32 copy that is updated
  kBf16Stochastic  // bf16 alone; an update is rounded up or down at random
};

template <>
struct EnumNames<WeightStore> {
  static constexpr std::array<std::string_view, 3> names{"f32", "bf16_master", "bf16_stochastic"};
};

constexpr DType weight_dtype(WeightStore store) {
  return store == WeightStore::kF32 ? DType::kF32 : DType::kBf16;
}

// The type of the matrices of slots that adapters leave as they are: `file`, as model.from stores
// them, or what they are rounded to when a run begins; `int`, levels of so many bits in groups
// (group_dtype()). With all but `file` embedding and head are kTableType, as `lathe compress`
// writes them.
enum class FrozenStore : std::uint8_t { kFile, kF16, kQ8_0, kInt8Row, kInt, kNf4, kNf4Double };

template <>
struct EnumNames<FrozenStore> {
  static constexpr std::array<std::string_view, 7> names{"file", "f16", "q8_0",  "int8_row",
                                                         "int",  "nf4", "nf4_dq"};
};

inline constexpr DType kTableType = DType::kF16;

}  // namespace lathe
