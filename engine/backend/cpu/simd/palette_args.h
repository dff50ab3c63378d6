// The inner loops of differentiable k-means: points a block at a time, number by number.
#pragma once

#include <cstdint>

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

}  // namespace lathe::cpu
