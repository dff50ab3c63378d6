// The host's side of device/tensor_list.cuh: tables in scratch, as many tensors at a time as it has
// room for.
#pragma once

#include <algorithm>
#include <cstdint>
#include <span>
#include <vector>

#include "engine/backend/cuda/launch.h"

namespace lathe::LATHE_GPU {

// Copies the entries to the beginning of scratch, in the order of the stream.
template <typename Entry>
const Entry* upload_table(Backend& backend, const std::vector<Entry>& entries) {
  const auto bytes = static_cast<std::int64_t>(entries.size() * sizeof(Entry));
  static_assert(sizeof(Entry) % sizeof(float) == 0);
  if (bytes > 0) {
    backend.write(gpu(backend).scratch_bytes(bytes), entries.data(), bytes);
  }
  return static_cast<const Entry*>(gpu(backend).scratch());
}

// body(first, count) for ranges of at most `most` of `all` tensors; once where there are none.
template <typename Body>
void for_table_ranges(std::size_t all, std::size_t most, const Body& body) {
  std::size_t first = 0;
  do {
    const std::size_t count = std::min(most, all - first);
    body(first, count);
    first += count;
  } while (first < all);
}

}  // namespace lathe::LATHE_GPU
