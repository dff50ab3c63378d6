// RMSNorm over threads. The gradient of the gain is summed per block of rows, and the blocks in
// order, so that it does not depend on the number of threads.
#include "engine/backend/cpu/cpu_backend.h"
#include "engine/backend/cpu/parallel.h"

namespace lathe::cpu {
namespace {

// Blocks are at least this many rows, and at most kMostBlocks of them.
constexpr std::int64_t kBlockRows = 32;
constexpr std::int64_t kMostBlocks = 64;

}  // namespace

void rmsnorm_forward(Backend& backend, const RmsnormForwardArgs& args) {
  const std::int64_t width = args.x.cols();
  parallel_items(backend.parallelism(), args.x.rows(), args.x.elements(), [&](std::int64_t row) {
    const float rstd = kernels().rmsnorm_forward(args.x.f32() + row * width, args.gain.f32(),
                                                 args.y.f32() + row * width, width, args.eps);
    if (args.rstd.defined()) {
      args.rstd.f32()[row] = rstd;
    }
  });
}

void rmsnorm_backward(Backend& backend, const RmsnormBackwardArgs& args) {
  const std::int64_t width = args.x.cols();
  const std::int64_t rows = args.x.rows();
  const std::int64_t block_rows = std::max(kBlockRows, (rows + kMostBlocks - 1) / kMostBlocks);
  const std::int64_t blocks = (rows + block_rows - 1) / block_rows;
  std::vector<float>& sums = self(backend).float_scratch();
  sums.assign(static_cast<std::size_t>(blocks * width), 0.0f);
  parallel_items(backend.parallelism(), blocks, args.x.elements(), [&](std::int64_t block) {
    const std::int64_t end = std::min(rows, (block + 1) * block_rows);
    for (std::int64_t row = block * block_rows; row < end; ++row) {
      kernels().rmsnorm_backward(
          {.dy = args.dy.f32() + row * width,
           .x = args.x.f32() + row * width,
           .gain = args.gain.f32(),
           .dx_add = args.dx_add.defined() ? args.dx_add.f32() + row * width : nullptr,
           .dx = args.dx.f32() + row * width,
           .dgain_sums = sums.data() + block * width,
           .width = width,
           .rstd = args.rstd.f32()[row]});
    }
  });
  for (std::int64_t block = 0; block < blocks; ++block) {
    kernels().add(args.dgain.f32(), sums.data() + block * width, args.dgain.f32(), width);
  }
}

}  // namespace lathe::cpu
