// The last step of attention whose keys were split over blocks: the parts of each row become one
// (Dao et al. 2022, section 3.1: how softmax composes), in the order of the splits.
#pragma once

#include "engine/backend/cuda/device/attention_forward.cuh"

namespace lathe::LATHE_GPU {

// A warp a row of [rows, head_dim].
static __global__ void attention_merge_kernel(const float* partial, float* out, Index rows,
                                              int head_dim, int splits) {
  const Index row = first_item() / 32;
  if (row >= rows) {
    return;
  }
  const int record = head_dim + 2;
  const float* const parts = partial + row * splits * record;
  float top = -INFINITY;
  for (int s = 0; s < splits; ++s) {
    top = fmaxf(top, parts[s * record]);
  }
  const float from = finite_top(top);
  float sum = 0.0f;
  for (int s = 0; s < splits; ++s) {
    sum += parts[s * record + 1] * expf(parts[s * record] - from);
  }
  for (int column = static_cast<int>(threadIdx.x) % 32; column < head_dim; column += 32) {
    float mixed = 0.0f;
    for (int s = 0; s < splits; ++s) {
      mixed += parts[s * record + 2 + column] * expf(parts[s * record] - from);
    }
    out[row * head_dim + column] = mixed / sum;
  }
}

}  // namespace lathe::LATHE_GPU
