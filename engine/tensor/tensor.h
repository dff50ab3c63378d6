// Tensor owns memory or keeps mapped memory alive; TensorRef looks at it. Both are dense and
// row-major; rows of a block type are whole blocks. On `meta` the data pointer is null and only
// shape, type and ledger entry exist.
#pragma once

#include <cstdint>
#include <memory>
#include <utility>

#include "engine/tensor/allocator.h"
#include "engine/tensor/dtype.h"
#include "engine/tensor/matrix_bytes.h"
#include "engine/tensor/shape.h"

namespace lathe {

// A view: cheap to copy, valid as long as the owner lives. An op may write through it.
struct TensorRef {
  void* data = nullptr;
  DType dtype = DType::kF32;
  Shape shape;
  std::int64_t extra_bytes = 0;  // of a type that has_extra_bytes()

  bool defined() const { return shape.rank() > 0; }
  float* f32() const {
    CHECK(dtype == DType::kF32, "not an f32 tensor");
    return static_cast<float*>(data);
  }
  std::int32_t* i32() const {
    CHECK(dtype == DType::kI32, "not an i32 tensor");
    return static_cast<std::int32_t*>(data);
  }
  double* f64() const {
    CHECK(dtype == DType::kF64, "not an f64 tensor");
    return static_cast<double*>(data);
  }
  std::int64_t elements() const { return shape.elements(); }
  std::int64_t bytes() const { return matrix_bytes(dtype, rows(), cols(), extra_bytes); }
  std::int64_t rows() const { return shape.rows(); }
  std::int64_t cols() const { return shape.cols(); }

  // The same elements under another shape of equal size.
  TensorRef reshaped(Shape other) const {
    CHECK(other.elements() == shape.elements() && !has_tables(dtype),
          "reshape keeps the number of elements, and no tables");
    return {data, dtype, other};
  }
  // Rows [first, first + count) of the tensor seen as a matrix.
  TensorRef row_range(std::int64_t first, std::int64_t count) const {
    CHECK(first >= 0 && count >= 0 && first + count <= rows() && !has_tables(dtype),
          "row range out of bounds, or of a matrix whose rows share tables");
    char* start = static_cast<char*>(data);
    if (start != nullptr) {
      start += size_bytes(dtype, first * cols());
    }
    return {start, dtype, Shape{count, cols()}};
  }
};

// Sole owner of its memory; move-only, so that a lifetime is visible in the code.
class Tensor {
 public:
  Tensor() = default;
  // Contents are undefined. Throws OutOfMemory. `extra_bytes`: of a type that has them.
  Tensor(Allocator& allocator, DType dtype, Shape shape, const Tag& tag,
         std::int64_t extra_bytes = 0)
      : view_{nullptr, dtype, shape, extra_bytes},
        buffer_(allocator.allocate(checked_bytes(view_), tag)) {}
  // A tensor that lies in memory of someone else, a mapped file, and is never written. `keeper`
  // holds the mapping.
  Tensor(Allocator& allocator, DType dtype, Shape shape, const Tag& tag, const void* data,
         std::shared_ptr<const void> keeper, std::int64_t extra_bytes = 0)
      : view_{nullptr, dtype, shape, extra_bytes},
        buffer_(allocator.adopt(data, checked_bytes(view_), tag, std::move(keeper))) {}
  Tensor(Tensor&& other) noexcept
      : view_(std::exchange(other.view_, {})), buffer_(std::move(other.buffer_)) {}
  Tensor& operator=(Tensor&& other) noexcept {
    buffer_ = std::move(other.buffer_);
    view_ = std::exchange(other.view_, {});
    return *this;
  }

  bool defined() const { return view_.defined(); }
  const Shape& shape() const { return view_.shape; }
  DType dtype() const { return view_.dtype; }
  TensorRef ref() const { return {buffer_.data(), view_.dtype, view_.shape, view_.extra_bytes}; }
  operator TensorRef() const { return ref(); }
  // Frees the memory now.
  void reset() {
    buffer_.reset();
    view_ = {};
  }

 private:
  static std::int64_t checked_bytes(const TensorRef& view) {
    CHECK(fits_type(view.dtype, view.rows(), view.cols()), "rows are whole blocks");
    return view.bytes();
  }

  TensorRef view_;  // without its data
  Buffer buffer_;
};

}  // namespace lathe
