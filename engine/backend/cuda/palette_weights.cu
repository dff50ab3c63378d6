// palette_count, palette_lookup, palette_sums, palette_gradient.
#include "engine/backend/cuda/device/palette_weights.cuh"

#include "engine/backend/cuda/ops.h"
#include "engine/backend/cuda/palette_call.h"

namespace lathe::LATHE_GPU {
namespace {

static_assert(kCodes == kPaletteCodes);

void clear(Backend& backend, const char* op, void* numbers, std::int64_t count) {
  const KernelCall call{
      .op = op, .grid = strided_blocks(count, kBlockThreads), .block = kBlockThreads};
  launch(backend, call, clear_numbers_kernel, static_cast<unsigned long long*>(numbers), count);
}

}  // namespace

void palette_count(Backend& backend, const PaletteCountArgs& args) {
  int* const counts = args.workspace.i32();
  clear(backend, "palette_count", counts, kPaletteCodes / 2);
  launch(backend, each_weight("palette_count", args.weights), palette_count_kernel,
         coded(args.weights), counts);
  launch(backend, each_item("palette_count", kPaletteCodes), numbers_to_floats_kernel, counts,
         args.counts.f32());
}

void palette_lookup(Backend& backend, const PaletteLookupArgs& args) {
  launch(backend, each_weight("palette_lookup", args.weights), palette_lookup_kernel,
         coded(args.weights), args.table.f32(), args.out.f32());
}

void palette_sums(Backend& backend, const PaletteSumsArgs& args) {
  auto* const sums = static_cast<unsigned long long*>(static_cast<void*>(args.workspace.f64()));
  int* const largest = static_cast<int*>(static_cast<void*>(sums + kPaletteCodes));
  clear(backend, "palette_sums", sums, kPaletteCodes + 1);
  KernelCall call = each_weight("palette_sums", args.weights);
  call.shared_bytes = kWarpThreads * sizeof(int);
  launch(backend, call, palette_largest_kernel, coded(args.weights), args.g.f32(), largest);
  launch(backend, each_weight("palette_sums", args.weights), palette_sums_kernel,
         coded(args.weights), args.g.f32(), largest, sums);
  launch(backend, each_item("palette_sums", kPaletteCodes), palette_sums_end_kernel, sums, largest,
         args.weights.w.elements(), args.sums.f32());
}

void palette_gradient(Backend& backend, const PaletteGradientArgs& args) {
  launch(backend, each_weight("palette_gradient", args.weights), palette_gradient_kernel,
         coded(args.weights), args.alpha.f32(), args.beta.f32(), args.g.f32());
}

}  // namespace lathe::LATHE_GPU
