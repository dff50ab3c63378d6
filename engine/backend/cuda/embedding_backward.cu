// embedding_backward.
#include "engine/backend/cuda/device/embedding_backward.cuh"

#include <algorithm>

#include "engine/backend/cuda/alignment.h"
#include "engine/backend/cuda/launch.h"
#include "engine/backend/cuda/ops.h"

namespace lathe::LATHE_GPU {
namespace {

constexpr std::int64_t kBlockWarps = kBlockThreads / kWarpThreads;

// Sorted ranges that scratch has room for.
constexpr std::int64_t kSortRanges =
    GpuBackend::kScratchBytes / (kSortTokens * std::int64_t{sizeof(unsigned short)});

// The order of up to kSortRanges ranges, each within itself.
const unsigned short* sorted(Backend& backend, const int* ids, std::int64_t tokens,
                             std::int64_t vocab) {
  int size = 2;
  while (size < kSortTokens && size < tokens) {
    size *= 2;
  }
  auto* const order = static_cast<unsigned short*>(gpu(backend).scratch());
  const KernelCall call{.op = "embedding_backward",
                        .grid = blocks_for(tokens, kSortTokens),
                        .block = std::clamp(static_cast<unsigned>(size / 2), kWarpThreads, 1024u),
                        .shared_bytes = static_cast<std::size_t>(size) * sizeof(std::uint64_t)};
  launch(backend, call, sort_tokens_kernel, ids, tokens, vocab, size, order);
  return order;
}

}  // namespace

// Ranges follow each other on the stream, so each row of dtable grows in the order of the tokens.
void embedding_backward(Backend& backend, const EmbeddingBackwardArgs& args) {
  const std::int64_t tokens = args.ids.elements();
  const std::int64_t width = args.dtable.cols();
  const bool fours = width % 4 == 0 && aligned_to_fours({args.dout.data, args.dtable.data});
  const std::int64_t columns = kWarpThreads * (fours ? 4 : 1);
  for (std::int64_t begin = 0; begin < tokens; begin += kSortRanges * kSortTokens) {
    const std::int64_t end = std::min(tokens, begin + kSortRanges * kSortTokens);
    const unsigned short* const order =
        sorted(backend, args.ids.i32() + begin, end - begin, args.dtable.rows());
    for (std::int64_t first = begin; first < end; first += kSortTokens) {
      const std::int64_t count = std::min<std::int64_t>(kSortTokens, end - first);
      const KernelCall call{.op = "embedding_backward",
                            .grid = {blocks_for(count, kBlockWarps), blocks_for(width, columns)},
                            .block = kBlockThreads};
      launch(backend, call, fours ? add_rows_kernel<4> : add_rows_kernel<1>,
             args.dout.f32() + first * width, args.ids.i32() + first, order + (first - begin),
             args.dtable.f32(), count, width);
    }
  }
}

}  // namespace lathe::LATHE_GPU
