// What the shape rules of all ops on palettes share.
#pragma once

#include "engine/ops/palette_args.h"
#include "engine/ops/shape_rules.h"

namespace lathe {

inline void check_code_type(DType codes) {
  CHECK(codes == DType::kF16 || codes == DType::kBf16, "codes are f16 or bf16");
}

inline void check_coded_weights(const CodedWeights& weights) {
  check_code_type(weights.codes);
  if (weights.w.dtype == DType::kBf16) {
    CHECK(weights.w.defined(), "weights are expected");
    CHECK(weights.scales.defined() || weights.codes == DType::kBf16,
          "weights of bf16 are their own codes");
  } else {
    check_f32(weights.w);
  }
  if (weights.scales.defined()) {
    check_elements(weights.scales, weights.w.rows());
  }
}

inline void check_centroids(const PaletteCentroids& centroids) {
  check_f32(centroids.c);
  check_elements(centroids.tau, 1);
  CHECK(centroids.clusters() >= 1 && centroids.clusters() <= kMostCentroids, "1 to 256 centroids");
  CHECK(centroids.dim() >= 1 && centroids.dim() <= kMostCentroidDim, "points of 1 to 4 numbers");
  CHECK(centroids.floor >= 0.0f && centroids.floor < 1.0f, "attention is a share");
}

inline void check_scratch(const TensorRef& workspace, DType dtype, std::int64_t elements) {
  CHECK(workspace.defined() && workspace.dtype == dtype && workspace.elements() == elements,
        "a palette's op has a workspace of another size");
}

inline void check_point_sums(const TensorRef& workspace, const PaletteCentroids& centroids) {
  check_scratch(workspace, DType::kF64,
                kPointShares * centroids.clusters() * (centroids.dim() + 1));
}

}  // namespace lathe
