// How work is spread over threads: contiguous shares, each decided by the index alone.
#pragma once

#include <omp.h>

#include <algorithm>
#include <cstdint>

namespace lathe::cpu {

// Elements below which starting threads costs more than it saves.
inline constexpr std::int64_t kSerialElements = 16384;

// body(first, count) over shares of [0, elements) that begin at multiples of 64 elements.
template <typename Body>
void parallel_ranges(int threads, std::int64_t elements, const Body& body) {
  if (elements < kSerialElements || threads == 1) {
    body(std::int64_t{0}, elements);
    return;
  }
  const std::int64_t share = (elements / threads + 64) / 64 * 64;
#pragma omp parallel for num_threads(threads) schedule(static, 1)
  for (int thread = 0; thread < threads; ++thread) {
    const std::int64_t first = std::min(thread * share, elements);
    const std::int64_t count = std::min(share, elements - first);
    if (count > 0) {
      body(first, count);
    }
  }
}

// body(index) for each of [0, count); `work` is the total in elements.
template <typename Body>
void parallel_items(int threads, std::int64_t count, std::int64_t work, const Body& body) {
#pragma omp parallel for num_threads(threads) schedule(static) if (work >= kSerialElements)
  for (std::int64_t index = 0; index < count; ++index) {
    body(index);
  }
}

}  // namespace lathe::cpu
