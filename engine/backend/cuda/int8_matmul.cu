// int8_matmul. The largest |x| of a row and the marks of columns come first, each from all of x.
#include "engine/backend/cuda/device/int8_matmul.cuh"

#include <algorithm>

#include "engine/backend/cuda/launch.h"
#include "engine/backend/cuda/ops.h"

namespace lathe::LATHE_GPU {

void int8_matmul(Backend& backend, const Int8MatmulArgs& args) {
  if (args.y.elements() == 0) {
    return;
  }
  const std::int64_t rows = args.x.rows(), width = args.w.cols(), out = args.w.rows();
  const Int8Scratch at = int8_scratch(args.w, rows);
  CHECK(args.workspace.elements() >= at.threads, "int8_matmul: the workspace is too small");
  float* const scratch = args.workspace.f32();
  auto* const codes = reinterpret_cast<signed char*>(scratch + at.codes);
  auto* const columns = reinterpret_cast<int*>(scratch + at.columns);
  const KernelCall marks{
      .op = "int8_matmul", .grid = strided_blocks(width, kBlockThreads), .block = kBlockThreads};
  launch(backend, marks, int8_columns_kernel, args.x.f32(), rows, width, int8_limit(args.threshold),
         columns);
  const KernelCall rounding{.op = "int8_matmul",
                            .grid = blocks_for(rows, 1),
                            .block = kBlockThreads,
                            .shared_bytes = 32 * sizeof(float)};
  launch(backend, rounding, int8_codes_kernel, args.x.f32(), columns, width, codes,
         scratch + at.scales);
  const auto* const weights = static_cast<const signed char*>(args.w.data);
  constexpr std::int64_t kMostTiles = 65535;  // of a grid, in y
  for (std::int64_t first = 0; first < rows; first += kMostTiles * kInt8Tile) {
    const std::int64_t count = std::min(rows - first, kMostTiles * kInt8Tile);
    const KernelCall product{.op = "int8_matmul",
                             .grid = dim3(blocks_for(out, kInt8Tile), blocks_for(count, kInt8Tile)),
                             .block = kInt8Threads,
                             .shared_bytes = kInt8SharedBytes};
    launch(backend, product, int8_products_kernel,
           Int8Operands{.x = args.x.f32() + first * width,
                        .codes = codes + first * width,
                        .scales = scratch + at.scales + first,
                        .columns = columns,
                        .weights = weights,
                        .weight_scales = reinterpret_cast<const float*>(weights + out * width),
                        .y = args.y.f32() + first * out,
                        .rows = count,
                        .out = out,
                        .width = width});
  }
}

}  // namespace lathe::LATHE_GPU
