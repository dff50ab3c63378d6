// Weights by their codes: counts and sums, and what tables have for them. Sums are of whole
// numbers, multiples of a power of two that the largest term decides, so that it does not matter in
// which order atomics add them up.
#pragma once

#include "engine/backend/cuda/device/palette_codes.cuh"
#include "engine/backend/cuda/device/reduce.cuh"

namespace lathe::LATHE_GPU {

static __global__ void clear_numbers_kernel(unsigned long long* numbers, Index count) {
  for (Index i = first_item(); i < count; i += item_stride()) {
    numbers[i] = 0;
  }
}

// 4 bytes a weight, and an atomic.
static __global__ void palette_count_kernel(Coded weights, int* counts) {
  for (Index i = first_item(); i < weights.elements; i += item_stride()) {
    atomicAdd(counts + weights.code(i), 1);
  }
}

static __global__ void numbers_to_floats_kernel(const int* numbers, float* floats) {
  const Index u = first_item();
  floats[u] = static_cast<float>(numbers[u]);
}

// *largest = the bits of the largest |scale g|, which are in the order of the numbers; those of a
// NaN are above all.
static __global__ void palette_largest_kernel(Coded weights, const float* g, int* largest) {
  int most = 0;
  for (Index i = first_item(); i < weights.elements; i += item_stride()) {
    const int bits = __float_as_int(fabsf(weights.scale(i) * g[i]));
    most = most > bits ? most : bits;
  }
  most = reduce_block(most, 0, Max(), shared_memory<int>());
  if (threadIdx.x == 0) {
    atomicMax(largest, most);
  }
}

// The power of two that terms are multiplied by: `count` of them stay below 2^62.
__device__ inline int sum_exponent(const int* largest, Index count) {
  int bits = 0;
  while (count >> bits != 0) {
    ++bits;
  }
  return 60 - bits - ilogbf(__int_as_float(*largest));
}

__device__ inline bool is_zero_or_infinite(const int* largest) {
  return *largest == 0 || *largest >= 0x7f800000;
}

// 8 bytes a weight, and an atomic.
static __global__ void palette_sums_kernel(Coded weights, const float* g, const int* largest,
                                           unsigned long long* sums) {
  if (is_zero_or_infinite(largest)) {
    return;
  }
  const int exponent = sum_exponent(largest, weights.elements);
  for (Index i = first_item(); i < weights.elements; i += item_stride()) {
    const double term = static_cast<double>(weights.scale(i)) * static_cast<double>(g[i]);
    const long long number = llrint(ldexp(term, exponent));
    atomicAdd(sums + weights.code(i), static_cast<unsigned long long>(number));
  }
}

// NaN everywhere where a term is not finite.
static __global__ void palette_sums_end_kernel(const unsigned long long* sums, const int* largest,
                                               Index count, float* out) {
  const Index u = first_item();
  const auto number = static_cast<double>(static_cast<long long>(sums[u]));
  const bool broken = *largest >= 0x7f800000;
  out[u] = broken          ? __int_as_float(0x7fc00000)
           : *largest == 0 ? 0.0f
                           : static_cast<float>(ldexp(number, -sum_exponent(largest, count)));
}

// 8 bytes a weight.
static __global__ void palette_lookup_kernel(Coded weights, const float* table, float* out) {
  for (Index i = first_item(); i < weights.elements; i += item_stride()) {
    out[i] = weights.scale(i) * table[weights.code(i)];
  }
}

// 12 bytes a weight.
static __global__ void palette_gradient_kernel(Coded weights, const float* alpha, const float* beta,
                                               float* g) {
  for (Index i = first_item(); i < weights.elements; i += item_stride()) {
    const unsigned code = weights.code(i);
    g[i] = g[i] * alpha[code] + beta[code] / weights.scale(i);
  }
}

}  // namespace lathe::LATHE_GPU
