// The sums of all parts.
#pragma once

#include "engine/backend/cuda/device/palette_drawn.cuh"

namespace lathe::LATHE_GPU {

// out[i] = the partial sums and, of a centroid without mass, what `stayed` has; mass may be null.
static __global__ void palette_totals_kernel(const double* partial, int shares, int width, int dim,
                                             const float* mass, const float* stayed, float* out) {
  const int i = static_cast<int>(first_item());
  if (i < width) {
    const bool stays = mass != nullptr && mass[i / dim] == 0.0f;
    out[i] = static_cast<float>(add_partials(partial, shares, width, i) +
                                (stays ? static_cast<double>(stayed[i]) : 0.0));
  }
}

}  // namespace lathe::LATHE_GPU
