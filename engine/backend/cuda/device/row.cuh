// One row of a matrix for a warp or a block: each thread keeps the packs that it reads first in
// registers, so that a row of up to kHeldColumns columns a thread is read once; what is longer is
// read again, from a cache as rows go.
#pragma once

#include "engine/backend/cuda/device/pack.cuh"
#include "engine/backend/cuda/device/reduce.cuh"

namespace lathe::LATHE_GPU {

// Columns that a thread keeps (rows.h chooses threads by it), and the most threads of a block: as
// many as have registers for two tensors.
constexpr int kHeldColumns = 16;
constexpr int kMostRowThreads = 512;
constexpr int kWarpRowsThreads = 256;
template <bool kWarpRows>
constexpr int kRowBlock = kWarpRows ? kWarpRowsThreads : kMostRowThreads;
// Blocks of that size to leave registers for on a multiprocessor: what a thread keeps of one or two
// tensors has room, and loads of 48 KiB or more are under way together.
template <bool kWarpRows, int kTensors>
constexpr int kRowBlocks = kWarpRows ? 4 - kTensors : 1;

// Who works at a row. Where kWarpRows, each warp of a block has a row of its own.
template <bool kWarpRows>
struct RowTeam {
  Index row;
  int thread, threads;

  __device__ RowTeam()
      : row(kWarpRows ? first_item() / 32 : blockIdx.x),
        thread(static_cast<int>(kWarpRows ? threadIdx.x % 32 : threadIdx.x)),
        threads(static_cast<int>(kWarpRows ? 32 : blockDim.x)) {}

  // In every thread: the sum over the team's threads.
  __device__ float sum(float value) const {
    if constexpr (kWarpRows) {
      return reduce_warp(value, Sum());
    } else {
      return reduce_block(value, 0.0f, Sum(), shared_memory<float>());
    }
  }
};

// What a thread keeps of a row of each of kTensors tensors.
template <int kWidth, int kTensors>
struct HeldRow {
  static constexpr int kPacks = kHeldColumns / kWidth;
  Pack<kWidth> packs[kPacks][kTensors];
};

// The first walk: body(column, packs) for each of the thread's packs, which it keeps.
template <int kWidth, int kTensors, typename Team, typename Body>
__device__ inline void read_row(const Team& team, const float* const (&rows)[kTensors], int width,
                                HeldRow<kWidth, kTensors>& held, const Body& body) {
  using Held = HeldRow<kWidth, kTensors>;
  int column = team.thread * kWidth;
  const int step = team.threads * kWidth;
  for (int p = 0; p < Held::kPacks; ++p, column += step) {
    if (column < width) {
      for (int t = 0; t < kTensors; ++t) {
        held.packs[p][t] = load_pack<kWidth>(rows[t] + column);
      }
    }
  }
  column = team.thread * kWidth;
  for (int p = 0; p < Held::kPacks; ++p, column += step) {
    if (column < width) {
      body(column, held.packs[p]);
    }
  }
  for (; column < width; column += step) {
    Pack<kWidth> packs[kTensors];
    for (int t = 0; t < kTensors; ++t) {
      packs[t] = load_pack<kWidth>(rows[t] + column);
    }
    body(column, packs);
  }
}

// A further walk over the same packs.
template <int kWidth, int kTensors, typename Team, typename Body>
__device__ inline void walk_row(const Team& team, const float* const (&rows)[kTensors], int width,
                                const HeldRow<kWidth, kTensors>& held, const Body& body) {
  using Held = HeldRow<kWidth, kTensors>;
  int column = team.thread * kWidth;
  const int step = team.threads * kWidth;
  for (int p = 0; p < Held::kPacks; ++p, column += step) {
    if (column < width) {
      body(column, held.packs[p]);
    }
  }
  for (; column < width; column += step) {
    Pack<kWidth> packs[kTensors];
    for (int t = 0; t < kTensors; ++t) {
      packs[t] = load_pack<kWidth>(rows[t] + column);
    }
    body(column, packs);
  }
}

}  // namespace lathe::LATHE_GPU
