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

// In which type a file would have the matrices of slots that adapters leave as they are. With all
// but `file`, which is that of model.from, embedding and head are f16, as `lathe compress` writes
// them.
enum class FrozenStore : std::uint8_t {
  kFile,
  kF16,
  kQ8_0,
  kInt8Row,
  kInt8,
  kNf4,
  kNf4Double,
  kInt4
};

template <>
struct EnumNames<FrozenStore> {
  static constexpr std::array<std::string_view, 8> names{"file",     "f16", "q8_0",   "int8_row",
                                                         "int8_g64", "nf4", "nf4_dq", "int4_g64"};
};

constexpr DType frozen_dtype(FrozenStore store) {
  constexpr std::array kTypes{DType::kF32,       DType::kF16,        DType::kQ8_0,
                              DType::kInt8Row,   group_dtype(8, 64), DType::kNf4,
                              DType::kNf4Double, group_dtype(4, 64)};
  return kTypes[static_cast<std::size_t>(store)];
}

}  // namespace lathe
