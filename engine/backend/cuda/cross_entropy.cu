// cross_entropy.
#include "engine/backend/cuda/device/cross_entropy.cuh"

#include <algorithm>

#include "engine/backend/cuda/launch.h"
#include "engine/backend/cuda/ops.h"

namespace lathe::LATHE_GPU {
namespace {

// Rows whose scores scratch has room for.
constexpr std::int64_t kScoreRows = GpuBackend::kScratchBytes / std::int64_t{sizeof(RowScore)};

unsigned threads_for(std::int64_t classes) {
  return classes <= 128 ? kWarpThreads : classes <= 512 ? 128 : classes <= 8192 ? 256 : 1024;
}

}  // namespace

void cross_entropy(Backend& backend, const CrossEntropyArgs& args) {
  const std::int64_t rows = args.logits.rows();
  const std::int64_t classes = args.logits.cols();
  if (rows == 0) {
    return;
  }
  auto* const scores = static_cast<RowScore*>(gpu(backend).scratch());
  for (std::int64_t first = 0; first < rows; first += kScoreRows) {
    const std::int64_t count = std::min(kScoreRows, rows - first);
    const KernelCall call{.op = "cross_entropy",
                          .grid = blocks_for(count, 1),
                          .block = threads_for(classes),
                          .shared_bytes = kWarpThreads * sizeof(float)};
    launch(backend, call,
           args.write_gradient ? entropy_rows_kernel<true> : entropy_rows_kernel<false>,
           {.logits = args.logits.f32(),
            .targets = args.targets.i32(),
            .losses = args.losses.defined() ? args.losses.f32() : nullptr,
            .argmax = args.argmax.defined() ? args.argmax.i32() : nullptr,
            .first = first,
            .classes = classes,
            .scale_at = args.scale_at.defined() ? args.scale_at.f64() : nullptr,
            .grad_scale = args.grad_scale},
           scores);
    const KernelCall last{.op = "cross_entropy",
                          .grid = 1,
                          .block = kBlockThreads,
                          .shared_bytes = kWarpThreads * sizeof(double)};
    launch(backend, last, add_scores_kernel, scores, count, args.sums.f64());
  }
}

}  // namespace lathe::LATHE_GPU
