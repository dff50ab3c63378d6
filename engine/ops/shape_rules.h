// The vocabulary of the shape rules: what validate() of each op says about its tensors. A broken
// rule is our bug, so each aborts by CHECK.
#pragma once

#include "engine/tensor/tensor.h"

namespace lathe {

inline void check_f32(const TensorRef& x) {
  CHECK(x.defined() && x.dtype == DType::kF32, "an f32 tensor is expected");
}
inline void check_i32(const TensorRef& x) {
  CHECK(x.defined() && x.dtype == DType::kI32, "an i32 tensor is expected");
}
// Sums that an op leaves where the device can read them on.
inline void check_sums(const TensorRef& x, std::int64_t elements) {
  CHECK(x.defined() && x.dtype == DType::kF64 && x.elements() == elements,
        "an f64 tensor with a place for each sum is expected");
}
inline void check_packed(const TensorRef& x) {
  CHECK(x.defined() && is_packed(x.dtype), "a tensor of a packed type is expected");
}
inline void check_same_size(const TensorRef& a, const TensorRef& b) {
  CHECK(a.elements() == b.elements(), "tensors of equal size are expected");
}
// f32 tensors that are the same matrix of rows and columns.
inline void check_same_matrix(const TensorRef& a, const TensorRef& b) {
  check_f32(a);
  check_f32(b);
  CHECK(a.rows() == b.rows() && a.cols() == b.cols(), "matrices of equal extents are expected");
}
inline void check_elements(const TensorRef& x, std::int64_t elements) {
  check_f32(x);
  CHECK(x.elements() == elements, "a tensor has the wrong number of elements");
}
// For outputs that an op must not read and inputs that it must not overwrite.
inline void check_distinct(const TensorRef& a, const TensorRef& b) {
  CHECK(a.data == nullptr || a.data != b.data, "these tensors must not alias");
}

}  // namespace lathe
