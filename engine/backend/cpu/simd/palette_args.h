// The inner loops of differentiable k-means: points a block at a time, number by number.
#pragma once

#include <cstdint>

#include "engine/tensor/dtype.h"

namespace lathe::cpu {

inline constexpr std::int64_t kPaletteBlock = 256;
inline constexpr std::int64_t kMostPaletteClusters = 256;
inline constexpr std::int64_t kMostPaletteDim = 4;

struct PaletteRule {
  const float* centroids;  // [clusters][dim]
  std::int64_t clusters, dim;
  float inverse_tau, floor;
};

// `count` points; number e of point i: x[e * kPaletteBlock + i].
struct PaletteBlock {
  const float* x;
  const float* counts;
  std::int64_t count;
};

// What PaletteBackwardArgs has, of one block.
struct PaletteSlopes {
  const float* next;    // [clusters][dim]
  const float* shares;  // dnext / mass, 0 where there is no mass
  const float* g;       // as x, or of codes one number each; read where `apply`
  float* dx;            // as x
  float* alpha;         // one number each
  bool apply, listed;
};

struct PaletteKernels {
  // The codes of w / scale, f16 or bf16.
  void (*codes)(DType codes, const float* w, float scale, std::int32_t* out, std::int64_t count);
  // Adds to sums [clusters][dim + 1] what palette_iterate() sums over points: a x, and a.
  void (*iterate)(const PaletteRule& rule, const PaletteBlock& block, double* sums);
  // out, as the block's x: the sum of a_j values[j].
  void (*apply)(const PaletteRule& rule, const PaletteBlock& block, const float* values,
                float* out);
  // out: values of the nearest.
  void (*nearest)(const PaletteRule& rule, const PaletteBlock& block, const float* values,
                  float* out);
  // Adds a_j g to sums [clusters][dim]; g as the block's x.
  void (*pull)(const PaletteRule& rule, const PaletteBlock& block, const float* g, double* sums);
  // Writes slopes.dx and alpha, and adds to dc [clusters][dim].
  void (*backward)(const PaletteRule& rule, const PaletteBlock& block, const PaletteSlopes& slopes,
                   double* dc);
};

}  // namespace lathe::cpu
