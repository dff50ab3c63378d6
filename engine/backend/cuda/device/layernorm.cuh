// Layer norm by rows, the variance from differences to the mean. Forward: 8 bytes an element.
// Backward: 12 of dx, 16 where dx_add is added, and 8 of the second look at dy and x that dgain
// and dbias take (column_sums.cuh).
#pragma once

#include "engine/backend/cuda/device/row.cuh"

namespace lathe::LATHE_GPU {

// bias, mean and rstd may be null.
template <int kWidth, bool kWarpRows>
static __global__ void __launch_bounds__(kRowBlock<kWarpRows>, kRowBlocks<kWarpRows, 1>)
    layernorm_forward_kernel(const float* x, const float* gain, const float* bias, float* y,
                             float* mean, float* rstd, float eps, Index rows, int width) {
  const RowTeam<kWarpRows> team;
  if (team.row >= rows) {
    return;
  }
  const float* const row[1] = {x + team.row * width};
  HeldRow<kWidth, 1> held;
  Pack<kWidth> values{};
  read_row(team, row, width, held, [&](int, const Pack<kWidth>(&at)[1]) {
    for (int j = 0; j < kWidth; ++j) {
      values.at[j] += at[0].at[j];
    }
  });
  const float middle = team.sum(sum_of(values)) / static_cast<float>(width);
  Pack<kWidth> squares{};
  walk_row(team, row, width, held, [&](int, const Pack<kWidth>(&at)[1]) {
    for (int j = 0; j < kWidth; ++j) {
      const float off = at[0].at[j] - middle;
      squares.at[j] += off * off;
    }
  });
  const float variance = team.sum(sum_of(squares)) / static_cast<float>(width);
  const float scale = 1.0f / sqrtf(variance + eps);
  walk_row(team, row, width, held, [&](int column, const Pack<kWidth>(&at)[1]) {
    const Pack<kWidth> g = load_pack<kWidth>(gain + column);
    Pack<kWidth> out{};
    if (bias != nullptr) {
      out = load_pack<kWidth>(bias + column);
    }
    for (int j = 0; j < kWidth; ++j) {
      out.at[j] += (at[0].at[j] - middle) * scale * g.at[j];
    }
    store_pack(y + team.row * width + column, out);
  });
  if (mean != nullptr && team.thread == 0) {
    mean[team.row] = middle;
  }
  if (rstd != nullptr && team.thread == 0) {
    rstd[team.row] = scale;
  }
}

// dx_add may be null, or dx.
template <int kWidth, bool kWarpRows>
static __global__ void __launch_bounds__(kRowBlock<kWarpRows>, kRowBlocks<kWarpRows, 2>)
    layernorm_backward_kernel(const float* dy, const float* x, const float* gain, const float* mean,
                              const float* rstd, const float* dx_add, float* dx, Index rows,
                              int width) {
  const RowTeam<kWarpRows> team;
  if (team.row >= rows) {
    return;
  }
  const Index start = team.row * width;
  const float middle = mean[team.row];
  const float scale = rstd[team.row];
  const float* const row[2] = {dy + start, x + start};
  HeldRow<kWidth, 2> held;
  Pack<kWidth> plain{}, products{};
  read_row(team, row, width, held, [&](int column, const Pack<kWidth>(&at)[2]) {
    const Pack<kWidth> g = load_pack<kWidth>(gain + column);
    for (int j = 0; j < kWidth; ++j) {
      const float slope = at[0].at[j] * g.at[j];
      plain.at[j] += slope;
      products.at[j] += slope * ((at[1].at[j] - middle) * scale);
    }
  });
  const float level = team.sum(sum_of(plain)) / static_cast<float>(width);
  const float share = team.sum(sum_of(products)) / static_cast<float>(width);
  walk_row(team, row, width, held, [&](int column, const Pack<kWidth>(&at)[2]) {
    const Pack<kWidth> g = load_pack<kWidth>(gain + column);
    Pack<kWidth> out{};
    if (dx_add != nullptr) {
      out = load_pack<kWidth>(dx_add + start + column);
    }
    for (int j = 0; j < kWidth; ++j) {
      const float xhat = (at[1].at[j] - middle) * scale;
      out.at[j] += scale * (at[0].at[j] * g.at[j] - level - xhat * share);
    }
    store_pack(dx + start + column, out);
  });
}

}  // namespace lathe::LATHE_GPU
