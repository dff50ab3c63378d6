// An update of bf16 weights without a master whose exact result lies between two of their numbers.
#pragma once

#include <array>
#include <cmath>
#include <cstdint>
#include <vector>

#include "engine/backend/sums.h"
#include "engine/nn/parameter.h"
#include "engine/quant/block_codec.h"

namespace lathe::test {

// A weight of ones, a gradient of ones, no moments yet.
struct OneWeight {
  OneWeight(Backend& backend, std::int64_t count)
      : parameter(make_parameter(backend, "layer", "weight", Shape{count}, true, DType::kBf16)) {
    const std::vector<float> ones(static_cast<std::size_t>(count), 1.0f);
    set_values(backend, parameter, ones.data());
    for (Tensor* tensor : {&gradient, &m, &v}) {
      *tensor = Tensor(backend.allocator(), DType::kF32, Shape{count}, {});
      ops::fill(backend, {.out = *tensor, .value = tensor == &gradient ? 1.0f : 0.0f});
    }
  }
  AdamwTensor updated() const {
    return {.weight = parameter.weight, .gradient = gradient, .m = {m}, .v = {v}};
  }
  Parameter parameter;
  Tensor gradient, m, v;
};

// An update of 0.3 units in the last place, from 1 down, of every element: so many become the lower
// neighbour, and the mean is that of the exact result.
inline std::vector<float> rounded_at_random(Backend& backend, std::uint64_t seed, std::int64_t step,
                                            std::int64_t count) {
  const OneWeight before(backend, 5);  // which moves the other's place
  const OneWeight weight(backend, count);
  const std::array<AdamwTensor, 2> list{before.updated(), weight.updated()};
  const Tensor sums = make_sums(backend, "test", "sums", 2);
  // Both moments are 0.5 after a gradient of 1, and are corrected by the number of the step.
  const double corrected = 0.5 / (1.0 - std::pow(0.5, double(step)));
  const double move = corrected / std::sqrt(corrected);
  ops::adamw_step(backend, {.tensors = list,
                            .squares = sums_at(sums, 0, 1),
                            .loss = {},
                            .refused = sums_at(sums, 1, 1),
                            .lr = static_cast<float>(0.3 * 0x1p-8 / move),
                            .beta1 = 0.5f,
                            .beta2 = 0.5f,
                            .eps = 1e-12f,
                            .step = step,
                            .seed = seed});
  std::vector<std::byte> bits(static_cast<std::size_t>(2 * count));
  backend.read(weight.parameter.weight, bits.data(), 2 * count);
  std::vector<float> values(static_cast<std::size_t>(count));
  decode_row(DType::kBf16, bits.data(), values.data(), count);
  return values;
}

}  // namespace lathe::test
