// Extents of a dense row-major tensor, up to four dimensions.
#pragma once

#include <array>
#include <cstdint>
#include <initializer_list>
#include <string>

#include "engine/base/check.h"

namespace lathe {

class Shape {
 public:
  static constexpr int kMaxRank = 4;

  Shape() = default;
  Shape(std::initializer_list<std::int64_t> extents) {
    CHECK(extents.size() <= kMaxRank, "a shape has at most four dimensions");
    for (const std::int64_t extent : extents) {
      CHECK(extent >= 0, "an extent is not negative");
      extents_[static_cast<std::size_t>(rank_++)] = extent;
    }
  }

  int rank() const { return rank_; }
  std::int64_t operator[](int axis) const {
    CHECK(axis >= 0 && axis < rank_, "axis out of range");
    return extents_[static_cast<std::size_t>(axis)];
  }
  std::int64_t elements() const {
    std::int64_t product = 1;
    for (int axis = 0; axis < rank_; ++axis) {
      product *= extents_[static_cast<std::size_t>(axis)];
    }
    return product;
  }
  // All dimensions but the last taken together: the rows of the tensor seen as a matrix.
  std::int64_t rows() const { return rank_ == 0 ? 1 : elements() / (cols() == 0 ? 1 : cols()); }
  // The last extent.
  std::int64_t cols() const { return rank_ == 0 ? 1 : (*this)[rank_ - 1]; }

  bool operator==(const Shape&) const = default;

  // "[2, 256, 288]"
  std::string text() const {
    std::string out = "[";
    for (int axis = 0; axis < rank_; ++axis) {
      out += (axis == 0 ? "" : ", ") + std::to_string((*this)[axis]);
    }
    return out + "]";
  }

 private:
  std::array<std::int64_t, kMaxRank> extents_{};
  int rank_ = 0;
};

}  // namespace lathe
