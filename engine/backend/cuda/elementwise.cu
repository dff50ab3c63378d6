// add, bias_add, column_scale, scale, copy, fill, random_fill.
#include "engine/backend/cuda/device/elementwise.cuh"

#include <vector>

#include "engine/backend/cuda/launch.h"
#include "engine/backend/cuda/ops.h"
#include "engine/backend/random_values.h"

namespace lathe::LATHE_GPU {
namespace {

KernelCall strided(const char* op, std::int64_t elements) {
  return {.op = op, .grid = strided_blocks(elements, kBlockThreads), .block = kBlockThreads};
}

}  // namespace

void add(Backend& backend, const AddArgs& args) {
  launch(backend, strided("add", args.out.elements()), add_kernel, args.a.f32(), args.b.f32(),
         args.out.f32(), args.out.elements());
}

void bias_add(Backend& backend, const BiasAddArgs& args) {
  launch(backend, strided("bias_add", args.x.elements()), bias_add_kernel, args.x.f32(),
         args.bias.f32(), args.x.elements(), args.x.cols());
}

void column_scale(Backend& backend, const ColumnScaleArgs& args) {
  launch(backend, strided("column_scale", args.x.elements()), column_scale_kernel, args.x.f32(),
         args.gain.f32(), args.shift.defined() ? args.shift.f32() : nullptr, args.y.f32(),
         args.x.elements(), args.x.cols());
}

void scale(Backend& backend, const ScaleArgs& args) {
  launch(backend, strided("scale", args.x.elements()), scale_kernel, args.x.f32(), args.factor,
         args.x.elements());
}

void copy(Backend& backend, const CopyArgs& args) {
  gpu(backend).copy(args.from.data, args.to.data, args.to.bytes());
}

void fill(Backend& backend, const FillArgs& args) {
  launch(backend, strided("fill", args.out.elements()), fill_kernel, args.out.f32(), args.value,
         args.out.elements());
}

// Drawn on the host: the values are the same bits on every back end.
void random_fill(Backend& backend, const RandomFillArgs& args) {
  std::vector<float> values(static_cast<std::size_t>(args.out.elements()));
  RandomFillArgs on_host = args;
  on_host.out.data = values.data();
  write_random_values(on_host, 0, args.out.elements());
  backend.write(args.out, values.data(), args.out.bytes());
}

}  // namespace lathe::LATHE_GPU
