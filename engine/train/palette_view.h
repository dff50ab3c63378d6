// What a palette and the weights that are drawn to it look like at an instant of training: plain
// data for those who watch, made of tables of codes, so that the host never reads a matrix.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

namespace lathe {

class Backend;     // engine/backend/backend.h
class Palette;     // engine/nn/palette.h
struct Parameter;  // engine/nn/parameter.h

inline constexpr std::int64_t kPaletteBins = 96;
// Of a matrix that has more of them, the first so many palettes are shown.
inline constexpr std::int64_t kShownPalettes = 4;

// Weights are numbers of 16 bits here, divided by the scales of their rows where there are some.
struct PaletteView {
  std::string slot;  // "layers.3.mlp.down", of a factor "layers.3.mlp.down.a"
  std::int64_t weights = 0;
  std::int64_t clusters = 0;  // of a palette
  std::int64_t dim = 1;       // neighbours that share a code
  std::int64_t palettes = 1;
  std::int64_t stored_bytes = 0;  // codes, palettes and scales
  std::int64_t distinct = 0;      // different weights
  double lowest = 0;              // weight
  double highest = 0;
  std::vector<std::int64_t> histogram;  // kPaletteBins of equal width, from the lowest on
  std::vector<float> centroids;         // of the palettes shown, [., clusters, dim]
  std::vector<std::int64_t> uses;       // how many codes are each, [., clusters]
  double entropy_bits = 0;        // of a code, mean of all palettes; log2 clusters at the most
  double soft_hard_distance = 0;  // |W_soft - W_hard| / |W_hard|, what training and export read
};

// Of a palette that has begun. Between steps; waits for the device.
PaletteView view_palette(Backend& backend, Palette& palette, const Parameter& weight);

}  // namespace lathe
