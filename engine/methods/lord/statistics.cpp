// Blocks of rows in double, and their products into the Gram matrix.
#include "engine/methods/lord/statistics.h"

#include <algorithm>
#include <cmath>
#include <string>

#include "engine/base/check.h"
#include "engine/methods/lord/linear_algebra.h"

namespace lathe {
namespace {

std::size_t area(std::int64_t rows, std::int64_t cols) {
  return static_cast<std::size_t>(rows) * static_cast<std::size_t>(cols);
}

std::int64_t rows_in(std::span<const float> rows, std::int64_t width) {
  const auto size = static_cast<std::int64_t>(rows.size());
  CHECK(size % width == 0, "whole rows of the statistics' width");
  return size / width;
}

Result<void> check_finite(std::span<const float> rows, std::int64_t width, const char* whose) {
  const std::optional<std::int64_t> row = first_non_finite_row(rows, width);
  if (!row) {
    return {};
  }
  const std::span<const float> bad = rows.subspan(area(*row, width), area(1, width));
  const auto found =
      std::find_if(bad.begin(), bad.end(), [](float x) { return !std::isfinite(x); });
  return Error{ErrorKind::kData,
               std::string("row ") + std::to_string(*row) + " of the " + whose + " is " +
                   (std::isnan(*found) ? "not a number" : "infinite") + " in column " +
                   std::to_string(found - bad.begin()),
               "check the model's weights, or leave that text out of the calibration data"};
}

void add_to(std::vector<double>& sums, const std::vector<double>& others) {
  for (std::size_t i = 0; i < sums.size(); ++i) {
    sums[i] += others[i];
  }
}

std::vector<double> divided(std::vector<double> sums, std::int64_t count) {
  for (double& sum : sums) {
    sum /= static_cast<double>(std::max<std::int64_t>(1, count));
  }
  return sums;
}

// a -= x y^T
void subtract_outer(Matrix& a, const std::vector<double>& x, const std::vector<double>& y) {
  for (std::size_t i = 0; i < x.size(); ++i) {
    for (std::size_t j = 0; j < y.size(); ++j) {
      a[i * y.size() + j] -= x[i] * y[j];
    }
  }
}

}  // namespace

std::optional<std::int64_t> first_non_finite_row(std::span<const float> rows, std::int64_t width) {
  const auto found =
      std::find_if(rows.begin(), rows.end(), [](float x) { return !std::isfinite(x); });
  if (found == rows.end()) {
    return std::nullopt;
  }
  return (found - rows.begin()) / width;
}

ColumnSums::ColumnSums(std::int64_t width)
    : sum_(area(1, width)), magnitude_(area(1, width)), square_(area(1, width)) {}

void ColumnSums::add(std::span<const float> rows) {
  const std::size_t width = sum_.size();
  for (std::size_t i = 0; i < rows.size(); i += width) {
    for (std::size_t j = 0; j < width; ++j) {
      const double x = rows[i + j];
      sum_[j] += x;
      magnitude_[j] += std::abs(x);
      square_[j] += x * x;
    }
  }
  count_ += rows_in(rows, this->width());
}

void ColumnSums::merge(const ColumnSums& other) {
  CHECK(other.width() == width(), "statistics of one width are merged");
  add_to(sum_, other.sum_);
  add_to(magnitude_, other.magnitude_);
  add_to(square_, other.square_);
  count_ += other.count_;
}

std::vector<double> ColumnSums::mean() const {
  return divided(sum_, count_);
}

std::vector<double> ColumnSums::mean_magnitude() const {
  return divided(magnitude_, count_);
}

std::vector<double> ColumnSums::mean_square() const {
  return divided(square_, count_);
}

InputStatistics::InputStatistics(std::int64_t width)
    : columns_(width), gram_(area(width, width)), block_(area(kBlockRows, width)) {}

Result<void> InputStatistics::add(std::span<const float> rows) {
  rows_in(rows, width());
  if (Result<void> checked = check_finite(rows, width(), "inputs"); !checked) {
    return checked;
  }
  take(rows);
  return {};
}

void InputStatistics::take(std::span<const float> rows) {
  while (!rows.empty()) {
    const std::span<const float> part = rows.first(std::min(rows.size(), area(room(), width())));
    append(part);
    if (room() == 0) {
      flush();
    }
    rows = rows.subspan(part.size());
  }
}

void InputStatistics::append(std::span<const float> rows) {
  columns_.add(rows);
  std::copy(rows.begin(), rows.end(),
            block_.begin() + static_cast<std::ptrdiff_t>(area(block_rows_, width())));
  block_rows_ += rows_in(rows, width());
}

void InputStatistics::flush() {
  if (block_rows_ > 0) {
    add_gram(block_.data(), block_rows_, width(), gram_);
  }
  block_rows_ = 0;
}

void InputStatistics::merge(const InputStatistics& other) {
  columns_.merge(other.columns_);
  add_to(gram_, other.gram_);
  if (other.block_rows_ > 0) {
    add_gram(other.block_.data(), other.block_rows_, width(), gram_);
  }
}

std::vector<double> InputStatistics::second_moment() const {
  Matrix moment = gram_;
  if (block_rows_ > 0) {
    add_gram(block_.data(), block_rows_, width(), moment);
  }
  mirror_upper(moment, width());
  return divided(std::move(moment), count());
}

std::vector<double> InputStatistics::covariance() const {
  Matrix moment = second_moment();
  const std::vector<double> center = mean();
  subtract_outer(moment, center, center);
  return moment;
}

OutputStatistics::OutputStatistics(std::int64_t in, std::int64_t out) : input_(in), output_(out) {}

Result<void> OutputStatistics::add(std::span<const float> x, std::span<const float> y) {
  CHECK(rows_in(x, input_.width()) == rows_in(y, output_.width()), "rows come in pairs");
  if (Result<void> checked = check_finite(x, input_.width(), "inputs"); !checked) {
    return checked;
  }
  if (Result<void> checked = check_finite(y, output_.width(), "outputs"); !checked) {
    return checked;
  }
  input_.add(x);
  output_.take(y);
  return {};
}

void OutputStatistics::merge(const OutputStatistics& other) {
  input_.merge(other.input_);
  output_.merge(other.output_);
}

CrossStatistics::CrossStatistics(std::int64_t width)
    : dense_(width), compressed_(width), product_(area(width, width)) {}

Result<void> CrossStatistics::add(std::span<const float> dense, std::span<const float> compressed) {
  CHECK(rows_in(dense, width()) == rows_in(compressed, width()), "rows come in pairs");
  if (Result<void> checked = check_finite(dense, width(), "dense model's inputs"); !checked) {
    return checked;
  }
  if (Result<void> checked = check_finite(compressed, width(), "compressed model's inputs");
      !checked) {
    return checked;
  }
  while (!dense.empty()) {
    const std::size_t part = std::min(dense.size(), area(dense_.room(), width()));
    dense_.append(dense.first(part));
    compressed_.append(compressed.first(part));
    if (dense_.room() == 0) {
      multiply_blocks(product_);
      dense_.flush();
      compressed_.flush();
    }
    dense = dense.subspan(part);
    compressed = compressed.subspan(part);
  }
  return {};
}

void CrossStatistics::multiply_blocks(std::vector<double>& into) const {
  if (dense_.block_rows_ > 0) {
    add_product(dense_.block_.data(), compressed_.block_.data(), dense_.block_rows_, width(),
                width(), into);
  }
}

void CrossStatistics::merge(const CrossStatistics& other) {
  add_to(product_, other.product_);
  other.multiply_blocks(product_);
  dense_.merge(other.dense_);
  compressed_.merge(other.compressed_);
}

std::vector<double> CrossStatistics::second_moment() const {
  Matrix moment = product_;
  multiply_blocks(moment);
  return divided(std::move(moment), count());
}

std::vector<double> CrossStatistics::covariance() const {
  Matrix moment = second_moment();
  subtract_outer(moment, dense_.mean(), compressed_.mean());
  return moment;
}

}  // namespace lathe
