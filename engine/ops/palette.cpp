// The ops of differentiable k-means: shape rules and costs.
#include "engine/ops/op_table.h"
#include "engine/ops/palette_rules.h"

namespace lathe {
namespace {

void check_like(const TensorRef& x, const CodedWeights& weights) {
  check_f32(x);
  CHECK(x.rows() == weights.w.rows() && x.cols() == weights.w.cols(),
        "a matrix of the weights' extents is expected");
}

void check_points(const PalettePoints& points, const PaletteCentroids& centroids) {
  check_code_type(points.codes);
  check_centroids(centroids);
  if (points.x.defined()) {
    check_f32(points.x);
    CHECK(points.x.cols() == centroids.dim(), "points and centroids have equally many numbers");
  } else {
    CHECK(centroids.dim() == 1, "codes are points of one number");
  }
  if (points.counts.defined()) {
    check_elements(points.counts, points.count());
  }
}

void check_centroid_like(const TensorRef& x, const PaletteCentroids& centroids) {
  check_elements(x, centroids.c.elements());
}

// Of passes over the points with the attention computed in each.
OpCost attention_cost(const PalettePoints& points, const PaletteCentroids& centroids,
                      double flops_each, double floats_each) {
  const auto pairs = double(points.count()) * double(centroids.clusters());
  const double dim = double(centroids.dim());
  return {.flops = pairs * (3.0 * dim + 5.0 + flops_each),
          .bytes = 4.0 * double(points.count()) * floats_each};
}

OpCost lookup_cost(const CodedWeights& weights, double passes) {
  return {.flops = double(weights.w.elements()),
          .bytes = double(weights.w.bytes()) +
                   4.0 * (passes * double(weights.w.elements()) + double(kPaletteCodes))};
}

}  // namespace

void validate(const PaletteCountArgs& args) {
  check_coded_weights(args.weights);
  check_elements(args.counts, kPaletteCodes);
  check_scratch(args.workspace, DType::kI32, kPaletteShares * kPaletteCodes);
}

OpCost cost(const PaletteCountArgs& args) {
  return lookup_cost(args.weights, 0.0);
}

void validate(const PaletteLookupArgs& args) {
  check_coded_weights(args.weights);
  check_elements(args.table, kPaletteCodes);
  check_like(args.out, args.weights);
  check_distinct(args.out, args.weights.w);
}

OpCost cost(const PaletteLookupArgs& args) {
  return lookup_cost(args.weights, 1.0);
}

void validate(const PaletteSumsArgs& args) {
  check_coded_weights(args.weights);
  check_like(args.g, args.weights);
  check_elements(args.sums, kPaletteCodes);
  check_scratch(args.workspace, DType::kF64, kPaletteShares * kPaletteCodes);
}

OpCost cost(const PaletteSumsArgs& args) {
  return lookup_cost(args.weights, 1.0);
}

void validate(const PaletteGradientArgs& args) {
  check_coded_weights(args.weights);
  check_elements(args.alpha, kPaletteCodes);
  check_elements(args.beta, kPaletteCodes);
  check_like(args.g, args.weights);
  check_distinct(args.g, args.weights.w);
}

OpCost cost(const PaletteGradientArgs& args) {
  return lookup_cost(args.weights, 2.0);
}

void validate(const PaletteIterateArgs& args) {
  check_points(args.points, args.centroids);
  check_centroid_like(args.next, args.centroids);
  check_distinct(args.next, args.centroids.c);
  check_elements(args.mass, args.centroids.clusters());
  check_point_sums(args.workspace, args.centroids);
}

OpCost cost(const PaletteIterateArgs& args) {
  const double dim = double(args.centroids.dim());
  return attention_cost(args.points, args.centroids, 2.0 * dim + 2.0, dim + 1.0);
}

void validate(const PaletteApplyArgs& args) {
  check_points(args.points, args.centroids);
  check_centroid_like(args.values, args.centroids);
  check_elements(args.out, args.points.count() * args.centroids.dim());
  check_distinct(args.out, args.points.x);
}

OpCost cost(const PaletteApplyArgs& args) {
  const double dim = double(args.centroids.dim());
  return attention_cost(args.points, args.centroids, 2.0 * dim, 2.0 * dim);
}

void validate(const PalettePullArgs& args) {
  check_points(args.points, args.centroids);
  check_elements(args.g, args.points.count() * args.centroids.dim());
  check_centroid_like(args.dvalues, args.centroids);
  check_point_sums(args.workspace, args.centroids);
}

OpCost cost(const PalettePullArgs& args) {
  const double dim = double(args.centroids.dim());
  return attention_cost(args.points, args.centroids, 2.0 * dim, 2.0 * dim);
}

void validate(const PaletteBackwardArgs& args) {
  check_points(args.points, args.centroids);
  check_centroid_like(args.next, args.centroids);
  check_centroid_like(args.dnext, args.centroids);
  check_elements(args.mass, args.centroids.clusters());
  if (args.points.x.defined()) {
    CHECK(!args.alpha.defined() && !args.beta.defined(), "listed points have no tables");
    CHECK(!args.points.counts.defined(), "listed points are there once each");
    check_elements(args.g, args.points.x.elements());
  } else {
    check_elements(args.alpha, kPaletteCodes);
    check_elements(args.beta, kPaletteCodes);
    check_elements(args.g, kPaletteCodes);
  }
  if (args.dc.defined()) {
    check_centroid_like(args.dc, args.centroids);
    check_distinct(args.dc, args.dnext);
  }
  check_point_sums(args.workspace, args.centroids);
}

OpCost cost(const PaletteBackwardArgs& args) {
  const double dim = double(args.centroids.dim());
  return attention_cost(args.points, args.centroids, 8.0 * dim + 8.0, 3.0 * dim + 1.0);
}

}  // namespace lathe
