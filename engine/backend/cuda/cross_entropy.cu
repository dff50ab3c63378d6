// cross_entropy and distill_loss.
#include "engine/backend/cuda/device/cross_entropy.cuh"

#include <algorithm>

#include "engine/backend/cuda/device/distill_loss.cuh"
#include "engine/backend/cuda/launch.h"
#include "engine/backend/cuda/ops.h"

namespace lathe::LATHE_GPU {
namespace {

// Rows whose scores scratch has room for.
constexpr std::int64_t kScoreRows = GpuBackend::kScratchBytes / std::int64_t{sizeof(RowScore)};

unsigned threads_for(std::int64_t classes) {
  return classes <= 128 ? kWarpThreads : classes <= 512 ? 128 : classes <= 8192 ? 256 : 1024;
}

// start(first, count, call, scores) for as many rows at a time as there is room for; their scores
// go to `sums`.
template <typename Start>
void score_rows(Backend& backend, std::string_view op, TensorRef logits, TensorRef sums,
                const Start& start) {
  const std::int64_t rows = logits.rows();
  auto* const scores = static_cast<RowScore*>(gpu(backend).scratch());
  for (std::int64_t first = 0; first < rows; first += kScoreRows) {
    const std::int64_t count = std::min(kScoreRows, rows - first);
    start(first,
          KernelCall{.op = op,
                     .grid = blocks_for(count, 1),
                     .block = threads_for(logits.cols()),
                     .shared_bytes = kWarpThreads * sizeof(float)},
          scores);
    const KernelCall last{
        .op = op, .grid = 1, .block = kBlockThreads, .shared_bytes = kWarpThreads * sizeof(double)};
    launch(backend, last, add_scores_kernel, scores, count, sums.f64());
  }
}

}  // namespace

void cross_entropy(Backend& backend, const CrossEntropyArgs& args) {
  score_rows(backend, "cross_entropy", args.logits, args.sums,
             [&](std::int64_t first, const KernelCall& call, RowScore* scores) {
               launch(backend, call,
                      args.write_gradient ? entropy_rows_kernel<true> : entropy_rows_kernel<false>,
                      {.logits = args.logits.f32(),
                       .targets = args.targets.i32(),
                       .losses = args.losses.defined() ? args.losses.f32() : nullptr,
                       .argmax = args.argmax.defined() ? args.argmax.i32() : nullptr,
                       .first = first,
                       .classes = args.logits.cols(),
                       .scale_at = args.scale_at.defined() ? args.scale_at.f64() : nullptr,
                       .grad_scale = args.grad_scale},
                      scores);
             });
}

void distill_loss(Backend& backend, const DistillLossArgs& args) {
  score_rows(backend, "distill_loss", args.logits, args.sums,
             [&](std::int64_t first, const KernelCall& call, RowScore* scores) {
               launch(backend, call, distill_rows_kernel,
                      {.logits = args.logits.f32(),
                       .teacher = args.teacher.f32(),
                       .targets = args.targets.i32(),
                       .first = first,
                       .classes = args.logits.cols(),
                       .weight = args.weight,
                       .temperature = args.temperature,
                       .scale_at = args.scale_at.defined() ? args.scale_at.f64() : nullptr,
                       .grad_scale = args.grad_scale},
                      scores);
             });
}

}  // namespace lathe::LATHE_GPU
