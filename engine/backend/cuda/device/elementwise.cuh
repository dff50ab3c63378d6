// Kernels that touch each element once: add, bias, factors of columns, scale, fill.
#pragma once

#include "engine/backend/cuda/device/grid.cuh"

namespace lathe::LATHE_GPU {

static __global__ void add_kernel(const float* a, const float* b, float* out, Index count) {
  for (Index i = first_item(); i < count; i += item_stride()) {
    out[i] = a[i] + b[i];
  }
}

static __global__ void bias_add_kernel(float* x, const float* bias, Index count, Index width) {
  for (Index i = first_item(); i < count; i += item_stride()) {
    x[i] += bias[i % width];
  }
}

// A null shift is none.
static __global__ void column_scale_kernel(const float* x, const float* gain, const float* shift,
                                           float* y, Index count, Index width) {
  for (Index i = first_item(); i < count; i += item_stride()) {
    const Index column = i % width;
    const float scaled = gain[column] * x[i];
    y[i] = shift == nullptr ? scaled : scaled + shift[column];
  }
}

static __global__ void scale_kernel(float* x, float factor, Index count) {
  for (Index i = first_item(); i < count; i += item_stride()) {
    x[i] *= factor;
  }
}

static __global__ void fill_kernel(float* out, float value, Index count) {
  for (Index i = first_item(); i < count; i += item_stride()) {
    out[i] = value;
  }
}

}  // namespace lathe::LATHE_GPU
