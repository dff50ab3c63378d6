// Differentiable k-means, a register of points at a time: the attention of each to all centroids is
// on the stack while it is needed, and nowhere else.
#include "engine/backend/cpu/simd/copies.h"
#include "engine/backend/cpu/simd/vector.h"
#include "engine/quant/half.h"

namespace lathe::cpu::LATHE_ISA {
namespace {

inline Vector smaller(Vector a, Vector b) {
  return a < b ? a : b;
}
// A NaN stays one.
inline Vector not_below(Vector x, float floor) {
  return larger(splat(floor), x);
}

// The lanes of a register of points that are points; the others count 0 and are at 0.
struct Points {
  Vector x[kMostPaletteDim];
  Vector p[kMostPaletteClusters];
};

inline Vector lanes(const float* data, std::int64_t at, std::int64_t left) {
  return left >= kLanes ? load(data, Full{at}) : load(data, Rest{at, left});
}
inline void put(float* data, std::int64_t at, std::int64_t left, Vector x) {
  if (left >= kLanes) {
    store(data, Full{at}, x);
  } else {
    store(data, Rest{at, left}, x);
  }
}

template <int kDim>
inline Vector square_distance(const PaletteRule& rule, const Points& points, std::int64_t j) {
  Vector sum{};
  for (int e = 0; e < kDim; ++e) {
    const Vector off = points.x[e] - rule.centroids[j * kDim + e];
    sum += off * off;
  }
  return sum;
}

template <int kDim>
inline void load_points(const PaletteBlock& block, std::int64_t at, Points& points) {
  for (int e = 0; e < kDim; ++e) {
    points.x[e] = lanes(block.x + e * kPaletteBlock, at, block.count - at);
  }
}

// The softmax of a register of points.
template <int kDim>
inline void attend(const PaletteRule& rule, const PaletteBlock& block, std::int64_t at,
                   Points& points) {
  load_points<kDim>(block, at, points);
  Vector nearest = splat(__builtin_inff());
  for (std::int64_t j = 0; j < rule.clusters; ++j) {
    points.p[j] = square_distance<kDim>(rule, points, j);
    nearest = smaller(points.p[j], nearest);
  }
  Vector total{};
  for (std::int64_t j = 0; j < rule.clusters; ++j) {
    points.p[j] = exp_of((nearest - points.p[j]) * rule.inverse_tau);
    total += points.p[j];
  }
  const Vector share = 1.0f / total;
  for (std::int64_t j = 0; j < rule.clusters; ++j) {
    points.p[j] *= share;
  }
}

// Sums over the points of a block, in registers until its end.
struct Sums {
  Vector at[kMostPaletteClusters * (kMostPaletteDim + 1)];
  std::int64_t count;

  explicit Sums(std::int64_t number) : count(number) {
    for (std::int64_t i = 0; i < count; ++i) {
      at[i] = Vector{};
    }
  }
  void add_to(double* sums) const {
    for (std::int64_t i = 0; i < count; ++i) {
      sums[i] += static_cast<double>(sum_of(at[i]));
    }
  }
};

template <int kDim>
void iterate(const PaletteRule& rule, const PaletteBlock& block, double* sums) {
  Points points;
  Sums made(rule.clusters * (kDim + 1));
  for (std::int64_t at = 0; at < block.count; at += kLanes) {
    attend<kDim>(rule, block, at, points);
    const Vector counts = lanes(block.counts, at, block.count - at);
    for (std::int64_t j = 0; j < rule.clusters; ++j) {
      const Vector a = counts * not_below(points.p[j], rule.floor);
      Vector* const to = made.at + j * (kDim + 1);
      for (int e = 0; e < kDim; ++e) {
        to[e] += a * points.x[e];
      }
      to[kDim] += a;
    }
  }
  made.add_to(sums);
}

template <int kDim>
void apply(const PaletteRule& rule, const PaletteBlock& block, const float* values, float* out) {
  Points points;
  for (std::int64_t at = 0; at < block.count; at += kLanes) {
    attend<kDim>(rule, block, at, points);
    Vector sums[kDim] = {};
    for (std::int64_t j = 0; j < rule.clusters; ++j) {
      const Vector a = not_below(points.p[j], rule.floor);
      for (int e = 0; e < kDim; ++e) {
        sums[e] += a * values[j * kDim + e];
      }
    }
    for (int e = 0; e < kDim; ++e) {
      put(out + e * kPaletteBlock, at, block.count - at, sums[e]);
    }
  }
}

template <int kDim>
void nearest(const PaletteRule& rule, const PaletteBlock& block, const float* values, float* out) {
  Points points;
  for (std::int64_t at = 0; at < block.count; at += kLanes) {
    load_points<kDim>(block, at, points);
    Vector least = splat(__builtin_inff());
    Vector found[kDim];
    for (int e = 0; e < kDim; ++e) {
      found[e] = splat(values[e]);
    }
    for (std::int64_t j = 0; j < rule.clusters; ++j) {
      const Vector square = square_distance<kDim>(rule, points, j);
      const IntVector closer = square < least;
      least = select(closer, square, least);
      for (int e = 0; e < kDim; ++e) {
        found[e] = select(closer, splat(values[j * kDim + e]), found[e]);
      }
    }
    for (int e = 0; e < kDim; ++e) {
      put(out + e * kPaletteBlock, at, block.count - at, found[e]);
    }
  }
}

template <int kDim>
void pull(const PaletteRule& rule, const PaletteBlock& block, const float* g, double* sums) {
  Points points;
  Sums made(rule.clusters * kDim);
  for (std::int64_t at = 0; at < block.count; at += kLanes) {
    attend<kDim>(rule, block, at, points);
    for (int e = 0; e < kDim; ++e) {
      const Vector along = lanes(g + e * kPaletteBlock, at, block.count - at);
      for (std::int64_t j = 0; j < rule.clusters; ++j) {
        made.at[j * kDim + e] += not_below(points.p[j], rule.floor) * along;
      }
    }
  }
  made.add_to(sums);
}

// p becomes the gradient of the logits by that of a.
inline void to_logits(const PaletteRule& rule, const Vector* da, const Vector* p, Vector* dlogits) {
  Vector mean{};
  for (std::int64_t j = 0; j < rule.clusters; ++j) {
    dlogits[j] = select(p[j] > rule.floor, da[j], Vector{});
    mean += p[j] * dlogits[j];
  }
  for (std::int64_t j = 0; j < rule.clusters; ++j) {
    dlogits[j] = p[j] * (dlogits[j] - mean);
  }
}

// What a register of points has of the centroids and of the output.
struct Backward {
  Points points;
  Vector da[kMostPaletteClusters];
  Vector by_centroids[kMostPaletteClusters];
  Vector by_output[kMostPaletteClusters];
};

// Also what moves a point as part of the means.
template <int kDim>
inline void centroid_logits(const PaletteRule& rule, const PaletteSlopes& slopes, Backward& at,
                            Vector (&dx)[kDim]) {
  for (std::int64_t j = 0; j < rule.clusters; ++j) {
    const Vector a = not_below(at.points.p[j], rule.floor);
    at.da[j] = Vector{};
    for (int e = 0; e < kDim; ++e) {
      const float share = slopes.shares[j * kDim + e];
      at.da[j] += share * (at.points.x[e] - slopes.next[j * kDim + e]);
      dx[e] += a * share;
    }
  }
  to_logits(rule, at.da, at.points.p, at.by_centroids);
}

template <int kDim>
inline void output_logits(const PaletteRule& rule, const PaletteSlopes& slopes, Backward& at,
                          const Vector (&g)[kDim]) {
  for (std::int64_t j = 0; j < rule.clusters; ++j) {
    at.da[j] = Vector{};
    for (int e = 0; e < kDim; ++e) {
      at.da[j] += g[e] * slopes.next[j * kDim + e];
    }
  }
  to_logits(rule, at.da, at.points.p, at.by_output);
}

template <int kDim>
void backward(const PaletteRule& rule, const PaletteBlock& block, const PaletteSlopes& slopes,
              double* dc) {
  Backward at;
  Sums made(rule.clusters * kDim);
  const float slope = 2.0f * rule.inverse_tau;
  for (std::int64_t i = 0; i < rule.clusters; ++i) {
    at.by_output[i] = Vector{};
  }
  for (std::int64_t first = 0; first < block.count; first += kLanes) {
    const std::int64_t left = block.count - first;
    attend<kDim>(rule, block, first, at.points);
    Vector dx[kDim] = {};
    centroid_logits<kDim>(rule, slopes, at, dx);
    // What of the output each g is multiplied by, unless it is in by_output already.
    Vector sums = splat(1.0f);
    if (slopes.apply) {
      Vector g[kDim];
      for (int e = 0; e < kDim; ++e) {
        g[e] = slopes.listed ? lanes(slopes.g + e * kPaletteBlock, first, left) : splat(1.0f);
      }
      output_logits<kDim>(rule, slopes, at, g);
      sums = slopes.listed ? sums : lanes(slopes.g, first, left);
    }
    const Vector counts = lanes(block.counts, first, left);
    Vector alpha{};
    for (std::int64_t j = 0; j < rule.clusters; ++j) {
      const Vector by_point = slopes.listed ? at.by_output[j] : Vector{};
      for (int e = 0; e < kDim; ++e) {
        const Vector off = slope * (at.points.x[e] - rule.centroids[j * kDim + e]);
        dx[e] -= off * (at.by_centroids[j] + by_point);
        alpha -= off * at.by_output[j];
        made.at[j * kDim + e] += off * (counts * at.by_centroids[j] + sums * at.by_output[j]);
      }
    }
    for (int e = 0; e < kDim; ++e) {
      put(slopes.dx + e * kPaletteBlock, first, left, dx[e]);
    }
    put(slopes.alpha, first, left, alpha);
  }
  made.add_to(dc);
}

// body of the right dimension.
template <typename Body>
void by_dim(std::int64_t dim, const Body& body) {
  switch (dim) {
    case 1:
      return body(std::integral_constant<int, 1>{});
    case 2:
      return body(std::integral_constant<int, 2>{});
    case 3:
      return body(std::integral_constant<int, 3>{});
    default:
      return body(std::integral_constant<int, 4>{});
  }
}

}  // namespace

void palette_codes(DType codes, const float* w, float scale, std::int32_t* out,
                   std::int64_t count) {
  if (codes == DType::kF16) {
    for (std::int64_t i = 0; i < count; ++i) {
      out[i] = half_of_float(w[i] / scale);
    }
  } else {
    for (std::int64_t i = 0; i < count; ++i) {
      out[i] = bf16_of_float(w[i] / scale);
    }
  }
}

void palette_iterate(const PaletteRule& rule, const PaletteBlock& block, double* sums) {
  by_dim(rule.dim, [&](auto dim) { iterate<dim>(rule, block, sums); });
}

void palette_apply(const PaletteRule& rule, const PaletteBlock& block, const float* values,
                   float* out) {
  by_dim(rule.dim, [&](auto dim) { apply<dim>(rule, block, values, out); });
}

void palette_nearest(const PaletteRule& rule, const PaletteBlock& block, const float* values,
                     float* out) {
  by_dim(rule.dim, [&](auto dim) { nearest<dim>(rule, block, values, out); });
}

void palette_pull(const PaletteRule& rule, const PaletteBlock& block, const float* g,
                  double* sums) {
  by_dim(rule.dim, [&](auto dim) { pull<dim>(rule, block, g, sums); });
}

void palette_backward(const PaletteRule& rule, const PaletteBlock& block,
                      const PaletteSlopes& slopes, double* dc) {
  by_dim(rule.dim, [&](auto dim) { backward<dim>(rule, block, slopes, dc); });
}

}  // namespace lathe::cpu::LATHE_ISA
