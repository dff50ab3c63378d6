// See spqr.h.
#include "engine/methods/quant/spqr.h"

#include <omp.h>

#include <algorithm>
#include <array>
#include <cmath>

#include "engine/base/check.h"
#include "engine/methods/quant/columns.h"
#include "engine/quant/half.h"
#include "engine/quant/stored_matrix.h"

namespace lathe {
namespace {

constexpr std::size_t kTile = 16;   // rows and columns that share second-level numbers
constexpr float kMostStepCode = 7;  // of three bits
constexpr float kLeastScale = 1e-8f;
constexpr float kMostZero = 64;
constexpr std::size_t kFewestKept = 2;  // weights of a group that are no outliers

using Sixteen = std::array<float, kTile>;

// value = (code - zero) * scale.
struct Levels {
  float scale = 0, zero = 0;
  float most = 7;

  float code(float value) const {
    return scale > 0 ? std::clamp(std::nearbyint(value / scale + zero), 0.0f, most) : 0.0f;
  }
  float value(float code) const { return (code - zero) * scale; }
  float rounded(float x) const { return value(code(x)); }
};

// From the least to the greatest of the values that are wanted, and no finer than leaves the zero
// within what an f16 holds well.
Levels levels_between(float least, float greatest, float most) {
  const float finest = std::max(std::abs(least), std::abs(greatest)) / kMostZero;
  const float scale = std::max({(greatest - least) / most, finest, kLeastScale});
  return {scale, -least / scale, most};
}

Levels levels_of(const Sixteen& values, std::uint32_t left_out, float most) {
  float least = 0;
  float greatest = 0;
  bool any = false;
  for (std::size_t i = 0; i < kTile; ++i) {
    if ((left_out >> i & 1u) == 0) {
      least = any ? std::min(least, values[i]) : values[i];
      greatest = any ? std::max(greatest, values[i]) : values[i];
      any = true;
    }
  }
  return levels_between(least, greatest, most);
}

float half_rounded(float value) {
  return float_of_half(half_of_float(value));
}

// Sixteen first-level numbers of a tile in three bits each: (code - zero) * step, both in f16.
struct SecondLevel {
  std::uint16_t step = 0, zero = 0;
  std::array<std::uint8_t, kTile> codes{};
  Sixteen values{};

  explicit SecondLevel(const Sixteen& wanted) {
    const auto [least, greatest] = std::minmax_element(wanted.begin(), wanted.end());
    Levels levels = levels_between(*least, *greatest, kMostStepCode);
    step = half_of_float(levels.scale);
    levels.scale = float_of_half(step);
    levels.zero = levels.scale > 0 ? half_rounded(-*least / levels.scale) : 0.0f;
    zero = half_of_float(levels.zero);
    for (std::size_t i = 0; i < kTile; ++i) {
      const float code = levels.code(wanted[i]);
      codes[i] = static_cast<std::uint8_t>(code);
      values[i] = levels.value(code);
    }
  }
};

// Sixteen rows on their way through the columns.
class Tile {
 public:
  Tile(int bits, const float* weight, std::int64_t in, const Columns& columns,
       const SpqrOptions& options, double threshold)
      : most_(static_cast<float>((1 << bits) - 1)),
        in_(in),
        columns_(columns),
        threshold_(threshold),
        as_they_were_(options.by_activity),
        place_(static_cast<std::size_t>(in)),
        levels_(static_cast<std::size_t>(in) / kTile),
        codes(kTile * static_cast<std::size_t>(in)),
        scale_codes(codes.size() / kTile),
        zero_codes(codes.size() / kTile),
        outliers(kTile) {
    values_.reserve(codes.size());
    for (std::int64_t place = 0; place < in; ++place) {
      const std::int64_t column = columns.order[static_cast<std::size_t>(place)];
      place_[static_cast<std::size_t>(column)] = place;
      for (std::size_t row = 0; row < kTile; ++row) {
        values_.push_back(weight[static_cast<std::int64_t>(row) * in + column]);
      }
    }
  }

  void round() {
    for (std::int64_t first = 0; as_they_were_ && first < in_; first += kGroup) {
      fit(first);
    }
    for (std::int64_t place = 0; place < in_; ++place) {
      const std::int64_t column = columns_.order[static_cast<std::size_t>(place)];
      if (!as_they_were_ && column % kGroup == 0) {
        fit(column);
      }
      round_column(place, column);
    }
    for (std::vector<SpqrOutlier>& row : outliers) {
      std::sort(row.begin(), row.end(),
                [](const SpqrOutlier& a, const SpqrOutlier& b) { return a.column < b.column; });
    }
  }

 private:
  static constexpr auto kGroup = static_cast<std::int64_t>(kTile);

  float* at_place(std::int64_t place) { return values_.data() + place * kGroup; }
  std::int64_t place_of(std::int64_t column) const {
    return place_[static_cast<std::size_t>(column)];
  }
  float pivot(std::int64_t column) const {
    return columns_.factor[static_cast<std::size_t>(place_of(column) * (in_ + 1))];
  }

  // What rounding them loses, each in units of what its column forgives.
  double loss(const Sixteen& values, std::int64_t first, const Levels& levels,
              std::uint32_t left_out) const {
    double sum = 0;
    for (std::size_t i = 0; i < kTile; ++i) {
      if ((left_out >> i & 1u) == 0) {
        const double off =
            (values[i] - levels.rounded(values[i])) / pivot(first + static_cast<std::int64_t>(i));
        sum += off * off;
      }
    }
    return sum;
  }

  // The weights of a group without which it would be rounded so much better.
  std::uint32_t likely_outliers(const Sixteen& values, std::int64_t first) const {
    if (!std::isfinite(threshold_)) {
      return 0;
    }
    const double all = loss(values, first, levels_of(values, 0, most_), 0);
    std::uint32_t likely = 0;
    std::size_t kept = kTile;
    for (std::size_t i = 0; i < kTile && kept > kFewestKept; ++i) {
      const std::uint32_t one = 1u << i;
      if (all - loss(values, first, levels_of(values, one, most_), one) > threshold_) {
        likely |= one;
        --kept;
      }
    }
    return likely;
  }

  // The levels of all rows' groups that begin at this column, from what their weights have become.
  void fit(std::int64_t first) {
    Sixteen scales;
    Sixteen zeros;
    for (std::size_t row = 0; row < kTile; ++row) {
      Sixteen values;
      for (std::size_t i = 0; i < kTile; ++i) {
        values[i] = at_place(place_of(first + static_cast<std::int64_t>(i)))[row];
      }
      const Levels levels = levels_of(values, likely_outliers(values, first), most_);
      scales[row] = levels.scale;
      zeros[row] = levels.zero;
    }
    const SecondLevel scale(scales);
    const SecondLevel zero(zeros);
    const auto group = static_cast<std::size_t>(first) / kTile;
    const std::size_t groups = static_cast<std::size_t>(in_) / kTile;
    for (std::size_t row = 0; row < kTile; ++row) {
      levels_[group][row] = {scale.values[row], zero.values[row], most_};
      scale_codes[row * groups + group] = scale.codes[row];
      zero_codes[row * groups + group] = zero.codes[row];
    }
    tiles.push_back({scale.step, scale.zero, zero.step, zero.zero});
  }

  void round_column(std::int64_t place, std::int64_t at) {
    const float* const factor = columns_.factor.data() + place * in_;
    const std::array<Levels, kTile>& its = levels_[static_cast<std::size_t>(at) / kTile];
    float* const values = at_place(place);
    Sixteen errors;
    for (std::size_t row = 0; row < kTile; ++row) {
      const Levels& levels = its[row];
      const float code = levels.code(values[row]);
      float rounded = levels.value(code);
      const double off = (values[row] - rounded) / factor[place];
      if (off * off > threshold_) {
        const std::uint16_t beside = half_of_float(values[row] - rounded);
        rounded += float_of_half(beside);
        outliers[row].push_back({static_cast<std::uint16_t>(at), beside});
      }
      codes[row * static_cast<std::size_t>(in_) + static_cast<std::size_t>(at)] =
          static_cast<std::uint8_t>(code);
      errors[row] = (values[row] - rounded) / factor[place];
    }
    for (std::int64_t later = place + 1; later < in_; ++later) {
      if (factor[later] == 0) {
        continue;  // all of them, of white inputs
      }
      float* const to = at_place(later);
      for (std::size_t row = 0; row < kTile; ++row) {
        to[row] -= errors[row] * factor[later];
      }
    }
  }

  float most_;
  std::int64_t in_;
  const Columns& columns_;
  double threshold_;
  bool as_they_were_;
  std::vector<float> values_;                      // [in, kTile], places
  std::vector<std::int64_t> place_;                // of each column
  std::vector<std::array<Levels, kTile>> levels_;  // by group

 public:
  std::vector<std::uint8_t> codes, scale_codes, zero_codes;
  std::vector<SpqrTile> tiles;
  std::vector<std::vector<SpqrOutlier>> outliers;
};

// The mean over columns of their weights' variance, in units of what each forgives.
double mean_variance(std::span<const float> weight, std::int64_t out, std::int64_t in,
                     const Columns& columns) {
  double sum = 0;
  for (std::int64_t place = 0; place < in; ++place) {
    const std::int64_t at = columns.order[static_cast<std::size_t>(place)];
    double total = 0;
    double squares = 0;
    for (std::int64_t row = 0; row < out; ++row) {
      const double value = weight[static_cast<std::size_t>(row * in + at)];
      total += value;
      squares += value * value;
    }
    const double pivot = columns.factor[static_cast<std::size_t>(place * (in + 1))];
    const double mean = total / static_cast<double>(out);
    const double variance =
        (squares - total * mean) / static_cast<double>(std::max<std::int64_t>(out - 1, 1));
    sum += variance / (pivot * pivot);
  }
  return sum / static_cast<double>(in);
}

}  // namespace

Result<RoundedWeight> round_spqr(StoredType type, std::span<const float> weight, std::int64_t out,
                                 std::int64_t in, const Matrix& moment,
                                 const SpqrOptions& options) {
  CHECK(spqr_bits(type) > 0 && fits_type(type, out, in), "whole tiles of spqr3 or spqr4");
  const auto columns = columns_of(moment, in, options.damp, options.by_activity);
  if (!columns) {
    return columns.error();
  }
  const double threshold = options.threshold * mean_variance(weight, out, in, *columns);
  SpqrParts parts{.bits = spqr_bits(type), .rows = out, .cols = in};
  const auto count = static_cast<std::size_t>(out * in);
  parts.codes.resize(count);
  parts.scale_codes.resize(count / kTile);
  parts.zero_codes.resize(count / kTile);
  parts.tiles.resize(count / kTile / kTile);
  parts.outliers.resize(static_cast<std::size_t>(out));
  const std::size_t tiles = static_cast<std::size_t>(out) / kTile;
#pragma omp parallel for schedule(dynamic, 1) num_threads(omp_get_num_procs())
  for (std::size_t index = 0; index < tiles; ++index) {
    Tile tile(parts.bits, weight.data() + index * kTile * static_cast<std::size_t>(in), in,
              *columns, options, threshold);
    tile.round();
    const auto place = [index](const auto& from, auto& to) {
      std::move(from.begin(), from.end(),
                to.begin() + static_cast<std::ptrdiff_t>(index * from.size()));
    };
    place(tile.codes, parts.codes);
    place(tile.scale_codes, parts.scale_codes);
    place(tile.zero_codes, parts.zero_codes);
    place(tile.tiles, parts.tiles);
    place(tile.outliers, parts.outliers);
  }
  RoundedWeight rounded;
  rounded.stored = spqr_matrix(parts);
  rounded.outliers = outliers_of(type, out, in, rounded.stored.size());
  measure(type, weight, out, in, moment, rounded);
  return rounded;
}

}  // namespace lathe
