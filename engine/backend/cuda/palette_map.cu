// palette_codes, palette_map, palette_map_backward.
#include "engine/backend/cuda/device/palette_map.cuh"

#include "engine/backend/cuda/ops.h"
#include "engine/backend/cuda/palette_call.h"

namespace lathe::LATHE_GPU {
namespace {

constexpr auto kShares = static_cast<int>(kPointShares);
constexpr std::size_t kSharedBytes = kStaged * (sizeof(double) + sizeof(StagedWeight));

WrittenMap written(const TensorRef& map) {
  const bool floats = map.defined() && map.dtype == DType::kF32;
  return {.floats = floats ? map.f32() : nullptr,
          .bits = floats || !map.defined() ? nullptr : static_cast<Bf16Bits*>(map.data)};
}

ReadMap read(const PaletteMap& map) {
  if (!map.values.defined()) {
    return {};
  }
  const bool floats = map.values.dtype == DType::kF32;
  const bool indexed = map.index.defined();
  return {.floats = floats ? map.values.f32() : nullptr,
          .bits = floats ? nullptr : static_cast<const Bf16Bits*>(map.values.data),
          .index = indexed ? static_cast<const unsigned short*>(map.index.data) : nullptr,
          .ranks = indexed ? map.ranks.i32() : nullptr,
          .clusters = static_cast<int>(map.values.cols())};
}

}  // namespace

void palette_codes(Backend& backend, const PaletteCodesArgs& args) {
  launch(backend, each_weight("palette_codes", args.weights), palette_codes_kernel,
         coded(args.weights), static_cast<unsigned short*>(args.out.data));
}

void palette_map(Backend& backend, const PaletteMapArgs& args) {
  launch(backend, each_weight("palette_map", args.weights), palette_map_kernel, coded(args.weights),
         drawn({}, args.centroids), written(args.distances), written(args.attention), args.floored);
}

void palette_map_backward(Backend& backend, const PaletteMapBackwardArgs& args) {
  const MapSlopes slopes{.distance = read(args.distance),
                         .square = read(args.square),
                         .softmax = read(args.softmax),
                         .floor = read(args.floor),
                         .update = read(args.update),
                         .output = read(args.output),
                         .x_distance = static_cast<const unsigned short*>(args.x_distance.data),
                         .x_update = static_cast<const unsigned short*>(args.x_update.data),
                         .c = args.centroids.c.f32(),
                         .tau = args.centroids.tau.f32(),
                         .next = args.next.f32(),
                         .mass = args.mass.f32(),
                         .dnext = args.dnext.f32(),
                         .g = args.g.f32(),
                         .weights = args.g.elements(),
                         .clusters = static_cast<int>(args.centroids.clusters()),
                         .least = args.centroids.floor,
                         .half = args.x_distance.dtype == DType::kF16,
                         .apply = args.apply};
  double* const partial = args.workspace.f64();
  const KernelCall shares = each_share("palette_map_backward", kSharedBytes);
  const KernelCall centroids = each_item("palette_map_backward", slopes.clusters);
  if (args.apply) {
    launch(backend, shares, palette_map_pull_kernel, slopes, partial);
    launch(backend, centroids, palette_totals_kernel, partial, kShares, slopes.clusters, 1, nullptr,
           nullptr, args.dnext.f32());
  }
  launch(backend, shares, palette_map_backward_kernel, slopes, partial);
  if (args.dc.defined()) {
    launch(backend, centroids, palette_totals_kernel, partial, kShares, slopes.clusters, 1,
           args.mass.f32(), args.dnext.f32(), args.dc.f32());
  }
}

}  // namespace lathe::LATHE_GPU
