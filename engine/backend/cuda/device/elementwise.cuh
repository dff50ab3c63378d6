// Kernels that touch each element once: add, bias, scale, fill, and the sum of squares.
#pragma once

#include "engine/backend/cuda/device/reduce.cuh"

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

// partial[block] = the sum of squares of the elements that the block strides over.
static __global__ void square_sums_kernel(const float* x, Index count, double* partial) {
  double sum = 0.0;
  for (Index i = first_item(); i < count; i += item_stride()) {
    sum += static_cast<double>(x[i]) * static_cast<double>(x[i]);
  }
  sum = reduce_block(sum, 0.0, Sum(), shared_memory<double>());
  if (threadIdx.x == 0) {
    partial[blockIdx.x] = sum;
  }
}

// *result = the sum of partial[0 .. count), by one block.
static __global__ void add_up_kernel(const double* partial, Index count, double* result) {
  double sum = 0.0;
  for (Index i = threadIdx.x; i < count; i += blockDim.x) {
    sum += partial[i];
  }
  sum = reduce_block(sum, 0.0, Sum(), shared_memory<double>());
  if (threadIdx.x == 0) {
    *result = sum;
  }
}

}  // namespace lathe::LATHE_GPU
