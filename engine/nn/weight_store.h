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

}  // namespace lathe
