// Factors and sums of columns, over threads.
#include "engine/backend/cpu/row_blocks.h"

namespace lathe::cpu {

void column_scale(Backend& backend, const ColumnScaleArgs& args) {
  const std::int64_t width = args.x.cols();
  const float* const gain = args.gain.f32();
  const float* const shift = args.shift.defined() ? args.shift.f32() : nullptr;
  parallel_items(backend.parallelism(), args.x.rows(), args.x.elements(), [&](std::int64_t row) {
    const float* const x = args.x.f32() + row * width;
    float* const y = args.y.f32() + row * width;
    for (std::int64_t i = 0; i < width; ++i) {
      y[i] = gain[i] * x[i];
    }
    if (shift != nullptr) {
      kernels().add(y, shift, y, width);
    }
  });
}

void column_dot(Backend& backend, const ColumnDotArgs& args) {
  const std::int64_t width = args.a.cols();
  const auto one_row = [&](std::int64_t row, float* sums) {
    const float* const a = args.a.f32() + row * width;
    const float* const b = args.b.f32() + row * width;
    for (std::int64_t i = 0; i < width; ++i) {
      sums[i] += a[i] * b[i];
    }
  };
  sum_rows(backend, args.a.rows(), width, args.a.elements(), one_row, {args.sums});
}

}  // namespace lathe::cpu
