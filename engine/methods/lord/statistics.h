// What a layer's inputs look like, gathered in one pass over calibration rows: count, mean, mean
// magnitude and Gram matrix, in double. Every solver of this folder works from these alone; the
// rows are not kept. Layers that read the same input (q, k, v; gate, up) share one InputStatistics;
// one with fewer outputs than inputs (down) takes its Gram matrix of the outputs.
#pragma once

#include <cstdint>
#include <optional>
#include <span>
#include <string_view>
#include <vector>

#include "engine/base/result.h"

namespace lathe {

// The first of rows [count, width] that holds a NaN or an infinity.
std::optional<std::int64_t> first_non_finite_row(std::span<const float> rows, std::int64_t width);

// Sums over rows, column by column.
class ColumnSums {
 public:
  explicit ColumnSums(std::int64_t width);

  void add(std::span<const float> rows);
  void merge(const ColumnSums& other);

  std::int64_t width() const { return static_cast<std::int64_t>(sum_.size()); }
  std::int64_t count() const { return count_; }
  // Zeros where no row was added.
  std::vector<double> mean() const;            // E x [width]
  std::vector<double> mean_magnitude() const;  // E |x| [width]
  std::vector<double> mean_square() const;     // E x^2 [width]

 private:
  std::int64_t count_ = 0;
  std::vector<double> sum_, magnitude_, square_;
};

// Rows are collected into blocks of kBlockRows before they are multiplied, so the sums are the same
// bits however the rows are split over calls and however many cores there are. Memory: 8 width^2
// bytes.
class InputStatistics {
 public:
  static constexpr std::int64_t kBlockRows = 256;

  explicit InputStatistics(std::int64_t width);

  // Adds rows [count, width]. A row that is not finite is refused (kData, naming row and column,
  // counted from the first of this call) and nothing of the call is added.
  Result<void> add(std::span<const float> rows);

  // As if the rows of `other` (of the same width) had been added here.
  void merge(const InputStatistics& other);

  std::int64_t width() const { return columns_.width(); }
  std::int64_t count() const { return columns_.count(); }

  const ColumnSums& columns() const { return columns_; }
  std::vector<double> mean() const { return columns_.mean(); }
  // Zeros where no row was added.
  std::vector<double> second_moment() const;  // E x x^T [width, width], symmetric
  std::vector<double> covariance() const;     // E x x^T - mean mean^T [width, width], symmetric

 private:
  friend class CrossStatistics;
  friend class OutputStatistics;

  // add() of finite rows.
  void take(std::span<const float> rows);
  std::int64_t room() const { return kBlockRows - block_rows_; }
  void append(std::span<const float> rows);  // not more than room()
  void flush();                              // the block into the Gram matrix

  ColumnSums columns_;
  std::vector<double> gram_;   // upper triangle
  std::vector<double> block_;  // [kBlockRows, width], of which block_rows_ are filled
  std::int64_t block_rows_ = 0;
};

// Of one layer with fewer outputs than inputs: its inputs x column by column and its outputs W x,
// without the bias. (W Cov(x) W^T = Cov(W x) is all that the directions ask of the inputs' Gram
// matrix, which is larger by the square of in / out.) Memory: 8 out^2 bytes.
class OutputStatistics {
 public:
  OutputStatistics(std::int64_t in, std::int64_t out);

  // Adds rows x [count, in] and y = W x [count, out]; as InputStatistics::add.
  Result<void> add(std::span<const float> x, std::span<const float> y);
  void merge(const OutputStatistics& other);

  std::int64_t count() const { return input_.count(); }
  const ColumnSums& input() const { return input_; }         // of x
  const InputStatistics& output() const { return output_; }  // of W x

 private:
  ColumnSums input_;
  InputStatistics output_;
};

// Inputs of one layer seen twice, for the sequential mode: x as the dense model makes it and x' as
// the prefix of already compressed layers makes it, row by row of the same tokens.
// Memory: 24 width^2 bytes.
class CrossStatistics {
 public:
  explicit CrossStatistics(std::int64_t width);

  // Adds rows [count, width] of both; as InputStatistics::add, the error says of which.
  Result<void> add(std::span<const float> dense, std::span<const float> compressed);
  void merge(const CrossStatistics& other);

  std::int64_t width() const { return dense_.width(); }
  std::int64_t count() const { return dense_.count(); }
  const InputStatistics& dense() const { return dense_; }            // of x
  const InputStatistics& compressed() const { return compressed_; }  // of x'

  std::vector<double> second_moment() const;  // E x x'^T [width, width], not symmetric
  std::vector<double> covariance() const;     // E x x'^T - E x (E x')^T

 private:
  void multiply_blocks(std::vector<double>& into) const;

  InputStatistics dense_;
  InputStatistics compressed_;
  std::vector<double> product_;  // sum x x'^T of the flushed blocks
};

}  // namespace lathe
