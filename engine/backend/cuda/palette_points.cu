// palette_iterate, palette_apply, palette_pull, palette_backward.
#include "engine/backend/cuda/device/palette_backward.cuh"

#include "engine/backend/cuda/ops.h"
#include "engine/backend/cuda/palette_call.h"

namespace lathe::LATHE_GPU {
namespace {

static_assert(kMostDim == kMostCentroidDim && kStaged >= kMostCentroids);

constexpr auto kShares = static_cast<int>(kPointShares);

constexpr std::size_t kSharedBytes = kStaged * ((kMostDim + 1) * sizeof(double) + sizeof(Staged));

}  // namespace

void palette_iterate(Backend& backend, const PaletteIterateArgs& args) {
  const Drawn of = drawn(args.points, args.centroids);
  double* const partial = args.workspace.f64();
  launch(backend, each_share("palette_iterate", kSharedBytes), palette_iterate_kernel, of, partial);
  launch(backend, each_item("palette_iterate", of.clusters), palette_iterate_end_kernel, of,
         partial, kShares, args.next.f32(), args.mass.f32());
}

void palette_apply(Backend& backend, const PaletteApplyArgs& args) {
  launch(backend, each_item("palette_apply", args.points.count()),
         args.hard ? palette_nearest_kernel : palette_apply_kernel,
         drawn(args.points, args.centroids), args.values.f32(), args.out.f32());
}

void palette_pull(Backend& backend, const PalettePullArgs& args) {
  const Drawn of = drawn(args.points, args.centroids);
  double* const partial = args.workspace.f64();
  launch(backend, each_share("palette_pull", kSharedBytes), palette_pull_kernel, of, args.g.f32(),
         partial);
  const int width = of.clusters * of.dim;
  launch(backend, each_item("palette_pull", width), palette_totals_kernel, partial, kShares, width,
         of.dim, nullptr, nullptr, args.dvalues.f32());
}

void palette_backward(Backend& backend, const PaletteBackwardArgs& args) {
  const Drawn of = drawn(args.points, args.centroids);
  double* const partial = args.workspace.f64();
  const bool tables = args.alpha.defined();
  launch(backend, each_share("palette_backward", kSharedBytes), palette_backward_kernel, of,
         {.next = args.next.f32(),
          .mass = args.mass.f32(),
          .dnext = args.dnext.f32(),
          .g = args.g.f32(),
          .alpha = tables ? args.alpha.f32() : nullptr,
          .beta = tables ? args.beta.f32() : nullptr,
          .apply = args.apply},
         partial);
  if (!args.dc.defined()) {
    return;
  }
  const int width = of.clusters * of.dim;
  launch(backend, each_item("palette_backward", width), palette_totals_kernel, partial, kShares,
         width, of.dim, args.mass.f32(), args.dnext.f32(), args.dc.f32());
}

}  // namespace lathe::LATHE_GPU
