// The host's side of device/column_sums.cuh: how many slices of the rows fill the device, and how
// many columns at a time fit into the scratch that holds their sums.
#pragma once

#include <algorithm>

#include "engine/backend/cuda/device/column_sums.cuh"
#include "engine/backend/cuda/launch.h"

namespace lathe::LATHE_GPU {

// first[i] += the first of Terms' sums over column i of a matrix of rows x width, second[i] the
// second where Terms has one and `second` is not null.
template <typename Terms>
void add_column_sums(Backend& backend, const char* op, const Terms& terms, std::int64_t rows,
                     std::int64_t width, float* first, float* second) {
  constexpr std::int64_t kSums = Terms::kSums;
  constexpr std::int64_t kRoom = GpuBackend::kScratchBytes / std::int64_t{sizeof(float)} / kSums;
  // At the most columns, four slices still give a block to every place of a device.
  constexpr std::int64_t kMostColumns = kRoom / 4;
  constexpr std::int64_t kMostSlices = 128;
  auto* const partial = static_cast<float*>(gpu(backend).scratch());
  if (rows == 0) {
    return;
  }
  for (std::int64_t begin = 0; begin < width; begin += kMostColumns) {
    const std::int64_t columns = std::min(kMostColumns, width - begin);
    const std::int64_t wanted = (rows + 4 * kTileRows - 1) / (4 * kTileRows);
    const std::int64_t slices = std::min({wanted, kRoom / columns, kMostSlices});
    const KernelCall call{.op = op,
                          .grid = {blocks_for(columns, kColumnTile), static_cast<unsigned>(slices)},
                          .block = kColumnTile * kTileRows,
                          .shared_bytes = kSums * kTileRows * kColumnTile * sizeof(float)};
    launch(backend, call, column_slices_kernel<Terms>, terms,
           {.rows = rows, .width = width, .first = begin, .columns = columns}, partial);
    const KernelCall last{
        .op = op, .grid = blocks_for(columns, kWarpThreads), .block = kWarpThreads};
    launch(backend, last, add_slices_kernel<Terms::kSums>, partial, columns, slices, first + begin,
           second == nullptr ? nullptr : second + begin);
  }
}

}  // namespace lathe::LATHE_GPU
