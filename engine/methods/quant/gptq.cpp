// See gptq.h.
#include "engine/methods/quant/gptq.h"

#include <omp.h>

#include <algorithm>
#include <cmath>
#include <numeric>

#include "engine/quant/block_codec.h"

namespace lathe {
namespace {

// Rows that go through the columns together, so that a row of the factor is read once for all.
constexpr std::int64_t kTileRows = 16;
// A moment that is not positive definite is damped ten times as much, so often.
constexpr int kDampings = 5;

// What all rows share.
struct Columns {
  std::vector<std::int64_t> order;  // place -> column
  std::vector<float> factor;        // U [in, in], upper, places; H^-1 = U^T U
};

std::vector<std::int64_t> order_of(const Matrix& moment, std::int64_t in, bool by_activity) {
  std::vector<std::int64_t> order(static_cast<std::size_t>(in));
  std::iota(order.begin(), order.end(), 0);
  if (by_activity) {
    std::stable_sort(order.begin(), order.end(), [&](std::int64_t a, std::int64_t b) {
      return moment[static_cast<std::size_t>(a * in + a)] >
             moment[static_cast<std::size_t>(b * in + b)];
    });
  }
  return order;
}

// The moment in that order, inputs that are always 0 set apart by a 1, with `damp` on its diagonal.
Matrix damped(const Matrix& moment, const std::vector<std::int64_t>& order, double damp) {
  const auto n = static_cast<std::int64_t>(order.size());
  Matrix h(moment.size());
  double trace = 0;
  for (std::int64_t i = 0; i < n; ++i) {
    for (std::int64_t j = 0; j < n; ++j) {
      h[static_cast<std::size_t>(i * n + j)] = moment[static_cast<std::size_t>(
          order[static_cast<std::size_t>(i)] * n + order[static_cast<std::size_t>(j)])];
    }
    trace += h[static_cast<std::size_t>(i * n + i)];
  }
  for (std::int64_t i = 0; i < n; ++i) {
    double& at = h[static_cast<std::size_t>(i * n + i)];
    at = at > 0 ? at + damp * trace / static_cast<double>(n) : 1;
  }
  return h;
}

Result<Columns> columns_of(const Matrix& moment, std::int64_t in, const GptqOptions& options) {
  for (const double value : moment) {
    if (!std::isfinite(value)) {
      return Error{ErrorKind::kData, "the inputs' second moment has values that are not finite",
                   "calibrate on other text"};
    }
  }
  Columns columns{.order = order_of(moment, in, options.by_activity), .factor = {}};
  double damp = options.damp;
  for (int attempt = 0; attempt < kDampings; ++attempt, damp = std::max(10 * damp, 1e-6)) {
    const auto upper = inverse_upper_factor(damped(moment, columns.order, damp), in);
    if (upper) {
      columns.factor.assign(upper->begin(), upper->end());
      return columns;
    }
  }
  return Error{ErrorKind::kData,
               "the inputs' second moment has no inverse, damped by " + std::to_string(damp) +
                   " of its mean",
               "calibrate on more samples, or raise damp"};
}

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

// E||A x||^2 = tr(A M A^T); of white inputs without a moment.
double output_energy(const std::vector<double>& a, std::int64_t out, std::int64_t in,
                     const Matrix& moment) {
  const Matrix sent = moment.empty() ? a : product(a, moment, out, in, in);
  return std::inner_product(a.begin(), a.end(), sent.begin(), 0.0);
}

void measure(StoredType type, std::span<const float> weight, std::int64_t out, std::int64_t in,
             const Matrix& moment, RoundedWeight& rounded) {
  std::vector<float> read(weight.size());
  decode_row(type, rounded.stored.data(), read.data(), out * in);
  std::vector<double> difference(weight.begin(), weight.end());
  rounded.energy = output_energy(difference, out, in, moment);
  for (std::size_t i = 0; i < read.size(); ++i) {
    difference[i] -= double{read[i]};
  }
  rounded.error = output_energy(difference, out, in, moment);
}

RoundedWeight room_for(StoredType type, std::int64_t out, std::int64_t in) {
  CHECK(has_grid(type) && in % info_of(type).block_elements == 0, "whole blocks of a grid");
  RoundedWeight rounded;
  rounded.stored.resize(static_cast<std::size_t>(stored_bytes(type, out * in)));
  return rounded;
}

}  // namespace

Result<RoundedWeight> round_gptq(StoredType type, std::span<const float> weight, std::int64_t out,
                                 std::int64_t in, const Matrix& moment,
                                 const GptqOptions& options) {
  RoundedWeight rounded = room_for(type, out, in);
  const auto columns = columns_of(moment, in, options);
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

RoundedWeight round_nearest(StoredType type, std::span<const float> weight, std::int64_t out,
                            std::int64_t in, const Matrix& moment) {
  RoundedWeight rounded = room_for(type, out, in);
  const std::int64_t row_bytes = stored_bytes(type, in);
#pragma omp parallel for num_threads(omp_get_num_procs())
  for (std::int64_t row = 0; row < out; ++row) {
    encode_row(type, weight.data() + row * in, rounded.stored.data() + row * row_bytes, in);
  }
  measure(type, weight, out, in, moment, rounded);
  return rounded;
}

}  // namespace lathe
