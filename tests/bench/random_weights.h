// Models of random weights in a stored type, for programs that measure inference.
#pragma once

#include <vector>

#include "engine/base/rng.h"
#include "engine/nn/transformer.h"
#include "engine/quant/block_codec.h"

namespace lathe {

// Random weights of the type; a pattern of one row repeated, as encoding all would take minutes.
inline void give_random(Backend& backend, Parameter& parameter, DType dtype) {
  Rng rng(1, 1);
  const std::int64_t width = parameter.shape.cols();
  std::vector<float> row(static_cast<std::size_t>(width));
  for (float& value : row) {
    value = static_cast<float>(0.08 * (rng.next_unit() - 0.5));
  }
  std::vector<std::byte> stored(static_cast<std::size_t>(size_bytes(dtype, width)));
  encode_row(dtype, row.data(), stored.data(), width);
  Tensor weight(backend.allocator(), dtype, parameter.shape,
                {Category::kWeights, parameter.layer, "weight"});
  for (std::int64_t i = 0; i < parameter.shape.rows(); ++i) {
    backend.write(weight.ref().row_range(i, 1), stored.data(),
                  static_cast<std::int64_t>(stored.size()));
  }
  give_weight(parameter, std::move(weight));
}

// All weights: frozen ones of that type, norms at one. Bytes of them together.
inline std::int64_t fill_random(Backend& backend, Transformer& model, DType dtype) {
  std::int64_t bytes = 0;
  for (Parameter* parameter : model.parameters()) {
    if (parameter->frozen) {
      give_random(backend, *parameter, dtype);
    } else {
      ops::fill(backend, {.out = parameter->weight, .value = 1.0f});
    }
    bytes += parameter->weight.ref().bytes();
  }
  return bytes;
}

}  // namespace lathe
