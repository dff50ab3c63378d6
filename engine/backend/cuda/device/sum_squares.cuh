// The sum of squares of each tensor of a list and of all: pieces, then tensors, then the whole, so
// that nothing but the sizes decides the order. 4 bytes an element.
#pragma once

#include "engine/backend/cuda/device/pack.cuh"
#include "engine/backend/cuda/device/reduce.cuh"
#include "engine/backend/cuda/device/tensor_list.cuh"

namespace lathe::LATHE_GPU {

struct SquaresEntry {
  const float* x;
  Index count, first_piece;
};

// partial[block] = the sum of squares of the block's piece.
static __global__ void square_pieces_kernel(const SquaresEntry* entries, int tensors,
                                            Index piece_elements, double* partial) {
  const Index piece = blockIdx.x;
  const SquaresEntry entry = entries[entry_of(entries, tensors, piece)];
  const Index begin = (piece - entry.first_piece) * piece_elements;
  const Index end = entry.count < begin + piece_elements ? entry.count : begin + piece_elements;
  const bool aligned = reinterpret_cast<unsigned long long>(entry.x) % sizeof(float4) == 0;
  double sum = 0.0;
  const auto add = [&](float x) { sum += static_cast<double>(x) * static_cast<double>(x); };
  for_fours(begin, end, [&](Index i, bool four) {
    if (four && aligned) {
      const Pack<4> x = load_pack<4>(entry.x + i);
      for (const float value : x.at) {
        add(value);
      }
      return;
    }
    for (Index j = i; j < i + (four ? 4 : 1); ++j) {
      add(entry.x[j]);
    }
  });
  sum = reduce_block(sum, 0.0, Sum(), shared_memory<double>());
  if (threadIdx.x == 0) {
    partial[piece] = sum;
  }
}

// sums[tensor] = the sum of its pieces, a warp a tensor.
static __global__ void tensor_sums_kernel(const SquaresEntry* entries, int tensors,
                                          Index piece_elements, const double* partial,
                                          double* sums) {
  const Index tensor = first_item() / 32;
  if (tensor >= tensors) {
    return;
  }
  const SquaresEntry entry = entries[tensor];
  const Index pieces = (entry.count + piece_elements - 1) / piece_elements;
  double sum = 0.0;
  for (Index i = threadIdx.x % 32; i < pieces; i += 32) {
    sum += partial[entry.first_piece + i];
  }
  sum = reduce_warp(sum, Sum());
  if (threadIdx.x % 32 == 0) {
    sums[tensor] = sum;
  }
}

// *total = the sum of sums[0 .. count), by one block.
static __global__ void add_up_kernel(const double* sums, Index count, double* total) {
  double sum = 0.0;
  for (Index i = threadIdx.x; i < count; i += blockDim.x) {
    sum += sums[i];
  }
  sum = reduce_block(sum, 0.0, Sum(), shared_memory<double>());
  if (threadIdx.x == 0) {
    *total = sum;
  }
}

}  // namespace lathe::LATHE_GPU
