// The arguments of the ops of differentiable k-means (DKM, arXiv 2108.12659; eDKM, arXiv
// 2309.00964). Points x [n, d] are drawn softly to K centroids c [K, d]: the logits of a point are
// -|x - c_j|^2 / tau, p their softmax, and its attention a_j = max(p_j, floor). No op keeps a.
//
// The weights of a matrix are numbers of 16 bits, so that there are at most 65,536 different points
// of d = 1, the codes; what an op makes for each of them is a table [65536], and weights look it
// up by their own bits. The conventions are those of op_args.h.
#pragma once

#include <cstdint>

#include "engine/tensor/tensor.h"

namespace lathe {

inline constexpr std::int64_t kPaletteCodes = 65536;
inline constexpr std::int64_t kMostCentroids = 256;
inline constexpr std::int64_t kMostCentroidDim = 4;

// Matrices whose elements are seen as codes: w [R, C] of f32 or bf16, each divided by the scale of
// its row, f32 [R], where there are scales, and rounded to the nearest number of `codes`, f16 or
// bf16. A bf16 w without scales is its own codes: `codes` is then bf16.
struct CodedWeights {
  TensorRef w;
  DType codes = DType::kF16;
  TensorRef scales = {};
};

// counts[u] = how many weights have the code u. counts: f32 [65536]; workspace: i32 [
// kPaletteShares, 65536].
struct PaletteCountArgs {
  CodedWeights weights;
  TensorRef counts, workspace;
};
// Parts that the weights are cut into, whatever the number of threads.
inline constexpr std::int64_t kPaletteShares = 4;

// out[r, i] = scale_r table[code of w[r, i]]. table: [65536]; out: [R, C].
struct PaletteLookupArgs {
  CodedWeights weights;
  TensorRef table, out;
};

// sums[u] = the sum of scale_r g[r, i] over the weights of code u. g: [R, C]; sums: [65536];
// workspace: f64 [kPaletteShares, 65536].
struct PaletteSumsArgs {
  CodedWeights weights;
  TensorRef g, sums, workspace;
};

// g[r, i] = g[r, i] alpha[u] + beta[u] / scale_r, u the code of w[r, i], in place. alpha, beta:
// [65536]; g: [R, C].
struct PaletteGradientArgs {
  CodedWeights weights;
  TensorRef alpha, beta, g;
};

// x [n, d]; undefined: the 65,536 numbers of `codes`, in the order of their bits. counts [n]: how
// often each is there, those of 0 are passed over; undefined: once.
struct PalettePoints {
  TensorRef x = {};
  DType codes = DType::kF16;
  TensorRef counts = {};

  std::int64_t count() const { return x.defined() ? x.rows() : kPaletteCodes; }
};

// c: [K, d]; tau: [1], above 0.
struct PaletteCentroids {
  TensorRef c, tau;
  float floor = 0.0f;

  std::int64_t clusters() const { return c.rows(); }
  std::int64_t dim() const { return c.cols(); }
};

// Parts that points are cut into, each with sums of its own, whatever the number of threads.
inline constexpr std::int64_t kPointShares = 64;

// One step of k-means: mass[j] = the sum of a_j over the points, next[j] that of a_j x, divided by
// mass[j]; a centroid without mass stays. next: [K, d]; mass: [K]; workspace: f64 [kPointShares,
// K (d + 1)].
struct PaletteIterateArgs {
  PalettePoints points;
  PaletteCentroids centroids;
  TensorRef next, mass, workspace;
};

// out = the sum of a_j values[j]. With `hard` the value of the nearest centroid, the first of
// several, as palettes store it: in f16. values: [K, d]; out: [n, d], left alone where counts are
// 0.
struct PaletteApplyArgs {
  PalettePoints points;
  PaletteCentroids centroids;
  TensorRef values, out;
  bool hard = false;
};

// dvalues[j] = the sum of a_j g, the gradient of palette_apply() by values. g: [n, d], of points
// that are there several times the sum of theirs; dvalues: [K, d]; workspace: as palette_iterate().
struct PalettePullArgs {
  PalettePoints points;
  PaletteCentroids centroids;
  TensorRef g, dvalues, workspace;
};

// The gradient of an iteration: of `next` and `mass`, which it made, by that of next, dnext [K, d].
// With g that of palette_apply() of `next` with the same centroids by them and the points, too.
//
// A point's is g alpha + beta. Of points that are listed, each there once, g [n, d] becomes that,
// and without `apply` it is added to g, which is not read otherwise. Of codes g [65536] is the sum
// over the weights, and alpha and beta [65536] are given: without `apply` beta is added to. dc [K,
// d], undefined where it is not wanted, becomes the gradient of the centroids. workspace: as
// palette_iterate().
struct PaletteBackwardArgs {
  PalettePoints points;
  PaletteCentroids centroids;
  TensorRef next, mass, dnext;
  TensorRef g, alpha, beta, dc, workspace;
  bool apply = false;
};

}  // namespace lathe
