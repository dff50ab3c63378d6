// Models of random weights in a stored type, for programs that measure inference.
#pragma once

#include <vector>

#include "engine/base/rng.h"
#include "engine/nn/transformer.h"
#include "engine/quant/block_codec.h"
#include "engine/quant/palette_matrix.h"
#include "engine/quant/stored_matrix.h"

namespace lathe {

// One palette to the matrix, indices and values at random.
inline void give_palette(Backend& backend, Parameter& parameter, DType dtype) {
  Rng rng(1, 2);
  const PaletteForm form = palette_form(dtype);
  const std::int64_t clusters = std::int64_t{1} << form.bits;
  PaletteParts parts{.bits = form.bits,
                     .dim = form.dim,
                     .rows = parameter.shape.rows(),
                     .cols = parameter.shape.cols(),
                     .rows_per_palette = parameter.shape.rows(),
                     .clusters = clusters};
  for (std::int64_t i = 0; i < parameter.shape.elements() / form.dim; ++i) {
    parts.codes.push_back(
        static_cast<std::uint8_t>(rng.next_below(static_cast<std::uint64_t>(clusters))));
  }
  for (std::int64_t i = 0; i < clusters * form.dim; ++i) {
    parts.lut.push_back(static_cast<float>(0.08 * (rng.next_unit() - 0.5)));
  }
  const std::vector<std::byte> stored = palette_matrix(parts);
  Tensor weight(backend.allocator(), dtype, parameter.shape,
                {Category::kWeights, parameter.layer, "weight"},
                extra_bytes_of(dtype, parts.rows, parts.cols, stored.size()));
  backend.write(weight, stored.data(), static_cast<std::int64_t>(stored.size()));
  give_weight(parameter, std::move(weight));
}

// Random weights of the type; a pattern of one row repeated, as encoding all would take minutes. A
// table beside palettes, which has none of them, is q4_0.
inline void give_random(Backend& backend, Parameter& parameter, DType dtype) {
  if (palette_form(dtype).bits > 0) {
    if (parameter.role != ParameterRole::kTable) {
      return give_palette(backend, parameter, dtype);
    }
    dtype = DType::kQ4_0;
  }
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
