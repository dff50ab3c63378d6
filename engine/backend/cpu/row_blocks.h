// Gradients that sum over rows: one partial sum per block of rows, the blocks added in order, so
// that the result does not depend on the number of threads.
#pragma once

#include <algorithm>
#include <cstdint>
#include <vector>

#include "engine/backend/cpu/cpu_backend.h"
#include "engine/backend/cpu/parallel.h"

namespace lathe::cpu {

// Blocks are at least this many rows, and at most kMostBlocks of them.
inline constexpr std::int64_t kBlockRows = 32;
inline constexpr std::int64_t kMostBlocks = 64;

// body(row, sums) adds to the `width` sums of the row's block; to[i] += the total.
template <typename Body>
void sum_rows(Backend& backend, std::int64_t rows, std::int64_t width, std::int64_t work,
              const Body& body, const std::vector<TensorRef>& to) {
  const std::int64_t block_rows = std::max(kBlockRows, (rows + kMostBlocks - 1) / kMostBlocks);
  const std::int64_t blocks = (rows + block_rows - 1) / block_rows;
  std::vector<float>& sums = self(backend).float_scratch();
  sums.assign(static_cast<std::size_t>(blocks * width), 0.0f);
  parallel_items(backend.parallelism(), blocks, work, [&](std::int64_t block) {
    const std::int64_t end = std::min(rows, (block + 1) * block_rows);
    for (std::int64_t row = block * block_rows; row < end; ++row) {
      body(row, sums.data() + block * width);
    }
  });
  for (std::int64_t block = 0; block < blocks; ++block) {
    const float* from = sums.data() + block * width;
    for (const TensorRef& gradient : to) {
      kernels().add(gradient.f32(), from, gradient.f32(), gradient.elements());
      from += gradient.elements();
    }
  }
}

}  // namespace lathe::cpu
