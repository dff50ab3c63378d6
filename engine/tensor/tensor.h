// Tensor owns memory or keeps mapped memory alive; TensorRef looks at it. Both are dense and
// row-major; rows of a block type are whole blocks. On `meta` the data pointer is null and only
// shape, type and ledger entry exist.
#pragma once

#include <cstdint>
#include <memory>
#include <utility>

#include "engine/tensor/allocator.h"
#include "engine/tensor/dtype.h"
#include "engine/tensor/shape.h"

namespace lathe {

// A view: cheap to copy, valid as long as the owner lives. An op may write through it.
struct TensorRef {
  void* data = nullptr;
  DType dtype = DType::kF32;
  Shape shape;

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
  std::int64_t bytes() const { return size_bytes(dtype, shape.elements()); }
  std::int64_t rows() const { return shape.rows(); }
  std::int64_t cols() const { return shape.cols(); }

  // The same elements under another shape of equal size.
  TensorRef reshaped(Shape other) const {
    CHECK(other.elements() == shape.elements(), "reshape keeps the number of elements");
    return {data, dtype, other};
  }
  // Rows [first, first + count) of the tensor seen as a matrix.
  TensorRef row_range(std::int64_t first, std::int64_t count) const {
    CHECK(first >= 0 && count >= 0 && first + count <= rows(), "row range out of bounds");
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
  // Contents are undefined. Throws OutOfMemory.
  Tensor(Allocator& allocator, DType dtype, Shape shape, const Tag& tag)
      : buffer_(allocator.allocate(size_bytes(dtype, shape.elements()), tag)),
        dtype_(dtype),
        shape_(shape) {
    CHECK(shape.cols() % dtype_layout(dtype).block_elements == 0, "rows are whole blocks");
  }
  // A tensor that lies in memory of someone else, a mapped file, and is never written. `keeper`
  // holds the mapping.
  Tensor(Allocator& allocator, DType dtype, Shape shape, const Tag& tag, const void* data,
         std::shared_ptr<const void> keeper)
      : buffer_(allocator.adopt(data, size_bytes(dtype, shape.elements()), tag, std::move(keeper))),
        dtype_(dtype),
        shape_(shape) {
    CHECK(shape.cols() % dtype_layout(dtype).block_elements == 0, "rows are whole blocks");
  }
  Tensor(Tensor&& other) noexcept
      : buffer_(std::move(other.buffer_)),
        dtype_(other.dtype_),
        shape_(std::exchange(other.shape_, Shape{})) {}
  Tensor& operator=(Tensor&& other) noexcept {
    buffer_ = std::move(other.buffer_);
    dtype_ = other.dtype_;
    shape_ = std::exchange(other.shape_, Shape{});
    return *this;
  }

  bool defined() const { return shape_.rank() > 0; }
  const Shape& shape() const { return shape_; }
  DType dtype() const { return dtype_; }
  TensorRef ref() const { return {buffer_.data(), dtype_, shape_}; }
  operator TensorRef() const { return ref(); }
  // Frees the memory now.
  void reset() {
    buffer_.reset();
    shape_ = {};
  }

 private:
  Buffer buffer_;
  DType dtype_ = DType::kF32;
  Shape shape_;
};

}  // namespace lathe
