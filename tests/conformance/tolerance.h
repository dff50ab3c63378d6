// How far a result may lie from the reference, by type and length of the sums behind it; the only
// place where such numbers stand.
#pragma once

#include <cmath>
#include <cstdint>

#include "engine/backend/product_precision.h"

namespace lathe::conformance {

struct Tolerance {
  double norm = 0;   // of |got - want| / |want|, Euclidean
  double worst = 0;  // of any |got - want|, relative to the largest |want|
};

// Machine precision of f32.
inline constexpr double kEpsilon = 0x1.0p-24;

// The reference computes in double and rounds once.
inline Tolerance reference_tolerance() {
  return {.norm = 1.5 * kEpsilon, .worst = 2.0 * kEpsilon};
}

// Single-precision sums of `length` terms: errors of random sign grow with its root; a few more
// units for the elementary functions.
inline Tolerance single_tolerance(std::int64_t length) {
  const double root = std::sqrt(static_cast<double>(length));
  return {.norm = (4.0 + root) * kEpsilon, .worst = (16.0 + 4.0 * root) * kEpsilon};
}

// Products of factors that were rounded first, relative to the size of their terms: two factors,
// then weights, each a rounding of random sign.
inline Tolerance rounded_tolerance(ProductPrecision products) {
  const double rounding = products == ProductPrecision::kBf16 ? 0x1.0p-8 : 0x1.0p-11;
  return {.norm = rounding, .worst = 2.0 * rounding};
}

// Outputs that are then rounded to bf16, to either neighbour.
inline Tolerance with_rounding(const Tolerance& tolerance) {
  return {.norm = tolerance.norm + 0x1.0p-7, .worst = tolerance.worst + 0x1.0p-7};
}

// Finite differences of single-precision functions.
inline constexpr double kGradientTolerance = 2e-3;

}  // namespace lathe::conformance
