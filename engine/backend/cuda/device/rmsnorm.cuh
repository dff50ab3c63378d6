// RMSNorm by rows. Forward: 8 bytes an element. Backward: 12 of dx, 16 where dx_add is added, and 8
// of the second look at dy and x that dgain takes (column_sums.cuh).
#pragma once

#include "engine/backend/cuda/device/row.cuh"

namespace lathe::LATHE_GPU {

// rstd may be null.
template <int kWidth, bool kWarpRows>
static __global__ void __launch_bounds__(kRowBlock<kWarpRows>, kRowBlocks<kWarpRows, 1>)
    rmsnorm_forward_kernel(const float* x, const float* gain, float* y, float* rstd, float eps,
                           Index rows, int width) {
  const RowTeam<kWarpRows> team;
  if (team.row >= rows) {
    return;
  }
  const float* const row[1] = {x + team.row * width};
  HeldRow<kWidth, 1> held;
  Pack<kWidth> squares{};
  read_row(team, row, width, held, [&](int, const Pack<kWidth>(&at)[1]) {
    for (int j = 0; j < kWidth; ++j) {
      squares.at[j] += at[0].at[j] * at[0].at[j];
    }
  });
  const float mean = team.sum(sum_of(squares)) / static_cast<float>(width);
  const float scale = 1.0f / sqrtf(mean + eps);
  walk_row(team, row, width, held, [&](int column, const Pack<kWidth>(&at)[1]) {
    const Pack<kWidth> g = load_pack<kWidth>(gain + column);
    Pack<kWidth> out;
    for (int j = 0; j < kWidth; ++j) {
      out.at[j] = at[0].at[j] * scale * g.at[j];
    }
    store_pack(y + team.row * width + column, out);
  });
  if (rstd != nullptr && team.thread == 0) {
    rstd[team.row] = scale;
  }
}

// dx_add may be null, or dx.
template <int kWidth, bool kWarpRows>
static __global__ void __launch_bounds__(kRowBlock<kWarpRows>, kRowBlocks<kWarpRows, 2>)
    rmsnorm_backward_kernel(const float* dy, const float* x, const float* gain, const float* rstd,
                            const float* dx_add, float* dx, Index rows, int width) {
  const RowTeam<kWarpRows> team;
  if (team.row >= rows) {
    return;
  }
  const Index start = team.row * width;
  const float* const row[2] = {dy + start, x + start};
  HeldRow<kWidth, 2> held;
  Pack<kWidth> products{};
  read_row(team, row, width, held, [&](int column, const Pack<kWidth>(&at)[2]) {
    const Pack<kWidth> g = load_pack<kWidth>(gain + column);
    for (int j = 0; j < kWidth; ++j) {
      products.at[j] += at[0].at[j] * g.at[j] * at[1].at[j];
    }
  });
  const float scale = rstd[team.row];
  // The share of x * rstd that is taken away.
  const float share = team.sum(sum_of(products)) * scale / static_cast<float>(width);
  walk_row(team, row, width, held, [&](int column, const Pack<kWidth>(&at)[2]) {
    const Pack<kWidth> g = load_pack<kWidth>(gain + column);
    Pack<kWidth> out{};
    if (dx_add != nullptr) {
      out = load_pack<kWidth>(dx_add + start + column);
    }
    for (int j = 0; j < kWidth; ++j) {
      out.at[j] += scale * (at[0].at[j] * g.at[j] - at[1].at[j] * scale * share);
    }
    store_pack(dx + start + column, out);
  });
}

}  // namespace lathe::LATHE_GPU
