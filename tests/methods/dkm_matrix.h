// A matrix and its palette on a back end.
#pragma once

#include <gtest/gtest.h>

#include <memory>
#include <string>
#include <vector>

#include "engine/base/rng.h"
#include "engine/nn/palette.h"
#include "engine/quant/half.h"

namespace lathe::test {

using Values = std::vector<float>;

inline const Shape kShape{6, 24};

// Numbers that f16 and bf16 have.
inline Values drawn(std::int64_t count, std::uint64_t stream) {
  Rng rng(5, stream);
  Values values(static_cast<std::size_t>(count));
  for (float& value : values) {
    value = float_of_bf16(bf16_of_float(static_cast<float>(rng.next_unit() - 0.5)));
  }
  return values;
}

struct Matrix {
  Matrix(const PalettePlan& plan, const Values& values, DType dtype = DType::kF32,
         const Shape& shape = kShape, const std::string& device = "cpu_ref")
      : backend(std::move(*make_backend(device, 1))),
        weight(make_parameter(*backend, "layers.0.mlp.up", "weight", shape, true, dtype)),
        palette(*backend, "layers.0.mlp.up", "weight", plan, shape) {
    set_values(*backend, weight, values.data());
  }
  void begin() {
    const auto begun = palette.begin(weight);
    ASSERT_TRUE(begun.ok()) << begun.error().text();
  }
  Values read(bool soft) {
    palette.set_soft(soft);
    const Tensor made = palette.weights(weight.weight);
    palette.set_soft(false);
    return values_of(made);
  }
  // What the gradient g of soft weights becomes.
  Values finish(const Values& g) {
    read(true);
    const GradientSlot slot = gradient_slot(*backend, weight);
    backend->write(slot.gradient, g.data(), slot.gradient.bytes());
    palette.finish(weight);
    return values_of(weight.gradient);
  }
  Values state(const std::string& leaf) {
    for (const auto& [name, tensor] : palette.state()) {
      if (name == leaf) {
        return values_of(tensor);
      }
    }
    return {};
  }
  Values values_of(TensorRef tensor) {
    Values values(static_cast<std::size_t>(tensor.elements()));
    backend->read(tensor, values.data(), tensor.bytes());
    return values;
  }

  std::unique_ptr<Backend> backend;
  Parameter weight;
  Palette palette;
};

}  // namespace lathe::test
