// Arguments of ops on palettes as their kernels take them.
#pragma once

#include "engine/backend/cuda/device/palette_codes.cuh"
#include "engine/backend/cuda/device/palette_drawn.cuh"
#include "engine/backend/cuda/launch.h"
#include "engine/ops/palette_map_args.h"

namespace lathe::LATHE_GPU {

inline Coded coded(const CodedWeights& weights) {
  const bool floats = weights.w.dtype == DType::kF32;
  return {.floats = floats ? weights.w.f32() : nullptr,
          .bits = floats ? nullptr : static_cast<const Bf16Bits*>(weights.w.data),
          .scales = weights.scales.defined() ? weights.scales.f32() : nullptr,
          .elements = weights.w.elements(),
          .cols = weights.w.cols(),
          .half = weights.codes == DType::kF16};
}

inline Drawn drawn(const PalettePoints& points, const PaletteCentroids& centroids) {
  return {.x = points.x.defined() ? points.x.f32() : nullptr,
          .counts = points.counts.defined() ? points.counts.f32() : nullptr,
          .c = centroids.c.f32(),
          .tau = centroids.tau.f32(),
          .points = points.count(),
          .clusters = static_cast<int>(centroids.clusters()),
          .dim = static_cast<int>(centroids.dim()),
          .floor = centroids.floor,
          .half = points.codes == DType::kF16};
}

inline KernelCall each_weight(const char* op, const CodedWeights& weights) {
  return {.op = op,
          .grid = strided_blocks(weights.w.elements(), kBlockThreads),
          .block = kBlockThreads};
}

inline KernelCall each_item(const char* op, std::int64_t items) {
  return {.op = op, .grid = blocks_for(items, kBlockThreads), .block = kBlockThreads};
}

// A block for each of kPointShares parts.
inline KernelCall each_share(const char* op, std::size_t shared_bytes) {
  return {.op = op,
          .grid = static_cast<unsigned>(kPointShares),
          .block = static_cast<unsigned>(kStaged),
          .shared_bytes = shared_bytes};
}

}  // namespace lathe::LATHE_GPU
