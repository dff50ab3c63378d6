// Kernels over a list of tensors in one launch: a table on the device says where each lies and
// which of the grid's blocks are its own, one a piece.
#pragma once

#include "engine/backend/cuda/device/grid.cuh"

namespace lathe::LATHE_GPU {

// The number of the entry that block `piece` belongs to. Entries have first_piece, in ascending
// order, the first of their pieces; one without elements has none.
template <typename Entry>
__device__ inline int entry_of(const Entry* entries, int count, Index piece) {
  int first = 0;
  int last = count - 1;
  while (first < last) {
    const int middle = (first + last + 1) / 2;
    if (entries[middle].first_piece <= piece) {
      first = middle;
    } else {
      last = middle - 1;
    }
  }
  return first;
}

// body(i, four) for the elements of [begin, end) that are this thread's, where `four` means i to
// i + 3 and otherwise i alone. begin is a multiple of 4.
template <typename Body>
__device__ inline void for_fours(Index begin, Index end, const Body& body) {
  for (Index i = begin + 4 * static_cast<Index>(threadIdx.x); i < end;
       i += 4 * static_cast<Index>(blockDim.x)) {
    if (i + 4 <= end) {
      body(i, true);
    } else {
      for (Index j = i; j < end; ++j) {
        body(j, false);
      }
    }
  }
}

}  // namespace lathe::LATHE_GPU
