// How a block keeps what its backward needs. The residual stream, norms' statistics and
// log-sum-exps are f32 always, and so is what is computed in between.
#pragma once

#include <array>
#include <cstdint>
#include <string_view>

#include "engine/base/describe.h"
#include "engine/tensor/dtype.h"

namespace lathe {

enum class ActivationStore : std::uint8_t {
  kF32,
  kBf16  // q, k, v, what attention gives, gate and up, rounded before they are used
};

template <>
struct EnumNames<ActivationStore> {
  static constexpr std::array<std::string_view, 2> names{"f32", "bf16"};
};

constexpr DType kept_dtype(ActivationStore store) {
  return store == ActivationStore::kF32 ? DType::kF32 : DType::kBf16;
}

}  // namespace lathe
