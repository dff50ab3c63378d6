// VeLoRA's kernels. A team of 1 to 32 neighbouring lanes, a power of two, has a sub-token of its
// own, so that what neighbours read lies together whether sub-tokens are short or long.
#pragma once

#include "engine/backend/cuda/device/adamw_rule.cuh"
#include "engine/backend/cuda/device/reduce.cuh"

namespace lathe::LATHE_GPU {

// `count` sub-tokens of `size` elements, one behind the other, each for `team` lanes.
struct SubtokenExtents {
  Index count;
  int size, team;
};

// x read once: 4 bytes an element.
static __global__ void subtoken_project_kernel(const float* x, const float* v, float* z,
                                               SubtokenExtents extents) {
  const Index token = first_item() / extents.team;
  const int lane = static_cast<int>(first_item() % extents.team);
  float sum = 0.0f;
  if (token < extents.count) {
    for (int k = lane; k < extents.size; k += extents.team) {
      sum += x[token * extents.size + k] * v[k];
    }
  }
  for (int distance = extents.team / 2; distance > 0; distance /= 2) {
    sum += __shfl_xor_sync(0xffffffffu, sum, distance);
  }
  if (lane == 0 && token < extents.count) {
    z[token] = sum;
  }
}

// 4 bytes an element, 8 where it is added to.
static __global__ void subtoken_rebuild_kernel(const float* z, const float* v, float* x,
                                               float alpha, float beta, Index elements, int size) {
  for (Index i = first_item(); i < elements; i += item_stride()) {
    const float added = alpha * z[i / size] * v[i % size];
    x[i] = beta == 0.0f ? added : beta * x[i] + added;
  }
}

// One block; `added` is (1 - decay) / count.
static __global__ void subtoken_direction_kernel(const float* sums, float* v, int size, float decay,
                                                 float added) {
  double squares = 0.0;
  for (int k = static_cast<int>(threadIdx.x); k < size; k += static_cast<int>(blockDim.x)) {
    const float kept = decay == 0.0f ? 0.0f : decay * v[k];
    v[k] = kept + added * sums[k];
    squares += static_cast<double>(v[k]) * static_cast<double>(v[k]);
  }
  const double length = sqrt(reduce_block(squares, 0.0, Sum(), shared_memory<double>()));
  for (int k = static_cast<int>(threadIdx.x); k < size; k += static_cast<int>(blockDim.x)) {
    v[k] = static_cast<float>(length == 0.0 ? 1.0 / sqrt(static_cast<double>(size))
                                            : static_cast<double>(v[k]) / length);
  }
}

// A weight whose gradient is one number a sub-token, as AdamwSubtokenStepArgs says.
struct SubtokenWeight {
  float* weight;
  const float* gradient;
  float *m, *v;
  const float* direction;
  bool decays;
};

// The weight read and written, 8 bytes an element.
static __global__ void adamw_subtokens_kernel(SubtokenWeight on, SubtokenExtents extents,
                                              AdamwRule given) {
  const AdamwRule by = current(given);
  const float scale = accepted_scale(by);
  if (scale < 0.0f) {
    // Whoever reads it before or after finds the same, as in adamw_kernel.
    if (first_item() == 0) {
      *by.refused = 1.0;
    }
    return;
  }
  const Index token = first_item() / extents.team;
  const int lane = static_cast<int>(first_item() % extents.team);
  const bool mine = token < extents.count;
  float m = 0.0f;
  float v = 0.0f;
  if (mine) {
    const float g = on.gradient[token] * scale;
    m = by.keep1 * on.m[token] + by.add1 * g;
    v = by.keep2 * on.v[token] + by.add2 * g * g;
  }
  __syncwarp();  // all of the team have read the moments
  if (!mine) {
    return;
  }
  if (lane == 0) {
    on.m[token] = m;
    on.v[token] = v;
  }
  const float first = m * by.correction1;
  const float root = sqrtf(v * by.correction2);
  const float decay = on.decays ? by.decay : 0.0f;
  for (int k = lane; k < extents.size; k += extents.team) {
    const float along = on.direction[k];
    float& weight = on.weight[token * extents.size + k];
    const float move = along * first / (fabsf(along) * root + by.eps);
    weight -= by.lr * (move + decay * weight);
  }
}

}  // namespace lathe::LATHE_GPU
