// See gptq.h.
#include "engine/methods/quant/gptq.h"

#include <omp.h>

#include <algorithm>

#include "engine/methods/quant/columns.h"
#include "engine/methods/quant/rounded_weight.h"

namespace lathe {
namespace {

// Rows that go through the columns together, so that a row of the factor is read once for all.
constexpr std::int64_t kTileRows = 16;

// Rows of a weight on their way.
class Tile {
 public:
  Tile(StoredType type, const float* weight, std::int64_t rows, std::int64_t in,
       const Columns& columns, bool as_they_were)
      : type_(type),
        block_(info_of(type).block_elements),
        rows_(rows),
        in_(in),
        columns_(columns),
        codes_(static_cast<std::size_t>(rows * in)),
        grids_(static_cast<std::size_t>(rows * in / block_)) {
    for (std::int64_t place = 0; place < in; ++place) {
      for (std::int64_t row = 0; row < rows; ++row) {
        values_.push_back(weight[row * in + columns.order[static_cast<std::size_t>(place)]]);
      }
    }
    for (std::int64_t row = 0; as_they_were && row < rows; ++row) {
      for (std::int64_t block = 0; block < in / block_; ++block) {
        grid(row, block) =
            grid_of(type, {weight + row * in + block * block_, static_cast<std::size_t>(block_)});
      }
    }
    as_they_were_ = as_they_were;
  }

  // Codes of all columns.
  void round() {
    std::vector<float> errors(static_cast<std::size_t>(rows_));
    for (std::int64_t place = 0; place < in_; ++place) {
      const std::int64_t column = columns_.order[static_cast<std::size_t>(place)];
      if (!as_they_were_ && column % block_ == 0) {
        fit_grids(place);
      }
      const float* factor = columns_.factor.data() + place * in_;
      float* values = values_.data() + place * rows_;
      for (std::int64_t row = 0; row < rows_; ++row) {
        const BlockGrid& its = grid(row, column / block_);
        const std::uint8_t code = nearest_code(type_, its, values[row]);
        codes_[static_cast<std::size_t>(row * in_ + column)] = code;
        errors[static_cast<std::size_t>(row)] =
            (values[row] - value_of(type_, its, code)) / factor[place];
      }
      take_back(place, factor, errors.data());
    }
  }

  void store(std::byte* out) const {
    const std::int64_t bytes = info_of(type_).block_bytes;
    for (std::size_t i = 0; i < grids_.size(); ++i) {
      const auto first = i * static_cast<std::size_t>(block_);
      put_block(type_, grids_[i],
                std::span(codes_).subspan(first, static_cast<std::size_t>(block_)),
                out + static_cast<std::int64_t>(i) * bytes);
    }
  }

 private:
  BlockGrid& grid(std::int64_t row, std::int64_t block) {
    return grids_[static_cast<std::size_t>(row * (in_ / block_) + block)];
  }

  // Of the blocks that begin at `place`, from what has become of them; places are columns here.
  void fit_grids(std::int64_t place) {
    std::vector<float> block(static_cast<std::size_t>(block_));
    for (std::int64_t row = 0; row < rows_; ++row) {
      for (std::int64_t i = 0; i < block_; ++i) {
        block[static_cast<std::size_t>(i)] =
            values_[static_cast<std::size_t>((place + i) * rows_ + row)];
      }
      grid(row, place / block_) = grid_of(type_, block);
    }
  }

  void take_back(std::int64_t place, const float* factor, const float* errors) {
    for (std::int64_t later = place + 1; later < in_; ++later) {
      float* values = values_.data() + later * rows_;
      const float share = factor[later];
      for (std::int64_t row = 0; row < rows_; ++row) {
        values[row] -= errors[row] * share;
      }
    }
  }

  StoredType type_;
  std::int64_t block_, rows_, in_;
  const Columns& columns_;
  std::vector<float> values_;  // [in, rows], by place
  std::vector<std::uint8_t> codes_;
  std::vector<BlockGrid> grids_;
  bool as_they_were_ = false;
};

}  // namespace

Result<RoundedWeight> round_gptq(StoredType type, std::span<const float> weight, std::int64_t out,
                                 std::int64_t in, const Matrix& moment,
                                 const GptqOptions& options) {
  CHECK(has_grid(type) && in % info_of(type).block_elements == 0, "whole blocks of a grid");
  RoundedWeight rounded;
  rounded.stored.resize(static_cast<std::size_t>(matrix_bytes(type, out, in)));
  const auto columns = columns_of(moment, in, options.damp, options.by_activity);
  if (!columns) {
    return columns.error();
  }
  const std::int64_t tiles = (out + kTileRows - 1) / kTileRows;
#pragma omp parallel for schedule(dynamic, 1) num_threads(omp_get_num_procs())
  for (std::int64_t tile = 0; tile < tiles; ++tile) {
    const std::int64_t first = tile * kTileRows;
    Tile rows(type, weight.data() + first * in, std::min(kTileRows, out - first), in, *columns,
              options.by_activity);
    rows.round();
    rows.store(rounded.stored.data() + stored_bytes(type, first * in));
  }
  measure(type, weight, out, in, moment, rounded);
  return rounded;
}

}  // namespace lathe
