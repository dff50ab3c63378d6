// The maps of soft k-means: shape rules and costs.
#include "engine/ops/palette_map_args.h"

#include "engine/ops/op_table.h"
#include "engine/ops/palette_rules.h"
#include "engine/ops/shape_rules.h"

namespace lathe {
namespace {

void check_codes_of(const TensorRef& codes, std::int64_t count) {
  CHECK(codes.defined() && (codes.dtype == DType::kF16 || codes.dtype == DType::kBf16),
        "a tensor of codes is expected");
  CHECK(codes.elements() == count, "a code for each weight is expected");
}

void check_map(const TensorRef& map, std::int64_t clusters) {
  CHECK(map.dtype == DType::kF32 || map.dtype == DType::kBf16, "maps are f32 or bf16");
  CHECK(map.cols() == clusters, "a map has a column for each centroid");
}

void check_read(const PaletteMap& map, std::int64_t weights, std::int64_t clusters) {
  CHECK(map.values.defined(), "a map is expected");
  check_map(map.values, clusters);
  if (!map.index.defined()) {
    CHECK(map.values.rows() == weights, "a map has a row for each weight");
    return;
  }
  check_codes_of(map.index, weights);
  check_i32(map.ranks);
  CHECK(map.ranks.elements() == kPaletteCodes, "each code has a rank");
}

}  // namespace

void validate(const PaletteCodesArgs& args) {
  check_coded_weights(args.weights);
  check_codes_of(args.out, args.weights.w.elements());
  CHECK(args.out.dtype == args.weights.codes, "codes are of their type");
}

OpCost cost(const PaletteCodesArgs& args) {
  return {.flops = double(args.weights.w.elements()),
          .bytes = double(args.weights.w.bytes() + args.out.bytes())};
}

void validate(const PaletteMapArgs& args) {
  check_coded_weights(args.weights);
  check_centroids(args.centroids);
  CHECK(args.centroids.dim() == 1, "maps are of single weights");
  for (const TensorRef& map : {args.distances, args.attention}) {
    if (map.defined()) {
      check_map(map, args.centroids.clusters());
      CHECK(map.rows() == args.weights.w.elements(), "a map has a row for each weight");
    }
  }
}

OpCost cost(const PaletteMapArgs& args) {
  const auto pairs = double(args.weights.w.elements()) * double(args.centroids.clusters());
  const auto bytes = [](const TensorRef& map) { return map.defined() ? double(map.bytes()) : 0.0; };
  return {.flops = 8.0 * pairs,
          .bytes = double(args.weights.w.bytes()) + bytes(args.distances) + bytes(args.attention)};
}

void validate(const PaletteMapBackwardArgs& args) {
  check_centroids(args.centroids);
  CHECK(args.centroids.dim() == 1, "maps are of single weights");
  const std::int64_t weights = args.g.elements();
  const std::int64_t clusters = args.centroids.clusters();
  check_f32(args.g);
  for (const PaletteMap* map :
       {&args.distance, &args.square, &args.softmax, &args.floor, &args.update}) {
    check_read(*map, weights, clusters);
  }
  if (args.apply) {
    check_read(args.output, weights, clusters);
  }
  check_codes_of(args.x_distance, weights);
  check_codes_of(args.x_update, weights);
  for (const TensorRef& like : {args.next, args.mass, args.dnext}) {
    check_elements(like, clusters);
  }
  if (args.dc.defined()) {
    check_elements(args.dc, clusters);
    check_distinct(args.dc, args.dnext);
  }
  check_point_sums(args.workspace, args.centroids);
}

OpCost cost(const PaletteMapBackwardArgs& args) {
  const auto pairs = double(args.g.elements()) * double(args.centroids.clusters());
  const double each = double(size_bytes(args.softmax.values.dtype));
  return {.flops = 16.0 * pairs,
          .bytes = (args.apply ? 6.0 : 5.0) * each * pairs + 12.0 * double(args.g.elements())};
}

}  // namespace lathe
