// See round_statistics.h.
#include "engine/compress/round_statistics.h"

#include <algorithm>
#include <array>
#include <cmath>

#include "engine/data/parallel.h"
#include "engine/methods/quant/palette_rounding.h"
#include "engine/methods/quant/spqr.h"
#include "engine/quant/block_codec.h"
#include "engine/quant/block_grid.h"
#include "engine/quant/stored_matrix.h"

namespace lathe {
namespace {

constexpr std::int64_t kChunkRows = 32;  // what one worker takes at a time
constexpr std::size_t kLargestBlock = 256;

std::size_t level_count(StoredType type) {
  const int bits = type == StoredType::kNf4 ? 4 : group_form(type).bits;
  return has_grid(type) ? std::size_t{1} << bits : 0;
}

// Whether blocks of both have their lowest and highest level at the same values.
bool span_alike(StoredType a, StoredType b) {
  return a == b || (group_form(a).bits > 0 && group_form(a).group == group_form(b).group);
}

// The bin of a value in a block whose levels go from `lowest` to `highest`.
std::size_t bin_of(float value, float lowest, float highest) {
  const float share = highest > lowest ? (value - lowest) / (highest - lowest) : 0.5f;
  const float bin = share * static_cast<float>(kPositionBins);
  constexpr auto kLast = static_cast<float>(kPositionBins - 1);
  return static_cast<std::size_t>(bin > 0 ? std::min(bin, kLast) : 0);
}

// Which statistics a type takes part in.
struct Part {
  StoredType type;
  bool fits = false;  // fits_type()
  std::optional<std::size_t> positions = std::nullopt;
  bool counts_positions = false;  // for all that share them
};

// What rows add up to. Chunks of rows have their own and are added in order.
struct Sums {
  std::vector<double> errors;                     // by part
  std::vector<std::vector<std::int64_t>> levels;  // by part
  std::vector<std::vector<std::int64_t>> positions;
  double energy = 0;
  std::int64_t outliers = 0;
  double largest_sigmas = 0;
  bool finite = true;

  void add(const Sums& other) {
    const auto add_all = [](auto& to, const auto& from) {
      for (std::size_t i = 0; i < to.size(); ++i) {
        to[i] += from[i];
      }
    };
    add_all(errors, other.errors);
    for (std::size_t i = 0; i < levels.size(); ++i) {
      add_all(levels[i], other.levels[i]);
    }
    for (std::size_t i = 0; i < positions.size(); ++i) {
      add_all(positions[i], other.positions[i]);
    }
    energy += other.energy;
    outliers += other.outliers;
    largest_sigmas = std::max(largest_sigmas, other.largest_sigmas);
    finite = finite && other.finite;
  }
};

double squared_distance(std::span<const float> a, const float* b) {
  double sum = 0;
  for (std::size_t i = 0; i < a.size(); ++i) {
    const double off = static_cast<double>(a[i]) - static_cast<double>(b[i]);
    sum += off * off;
  }
  return sum;
}

class Rows {
 public:
  Rows(const std::vector<Part>& parts, const Sums& none) : parts_(parts), sums_(none) {}

  void add(std::span<const float> row) {
    if (!weigh(row)) {
      return;
    }
    for (std::size_t i = 0; i < parts_.size(); ++i) {
      if (!parts_[i].fits) {
        continue;
      }
      if (has_grid(parts_[i].type)) {
        round_on_grid(i, row);
      } else if (!has_tables(parts_[i].type)) {
        round_trip(i, row);
      }
    }
  }
  const Sums& sums() const { return sums_; }

 private:
  // Energy and outliers; false if a weight is not finite.
  bool weigh(std::span<const float> row) {
    double energy = 0;
    float largest = 0;
    for (const float weight : row) {
      energy += static_cast<double>(weight) * weight;
      largest = std::max(largest, std::abs(weight));
    }
    if (!std::isfinite(energy)) {
      sums_.finite = false;
      return false;
    }
    sums_.energy += energy;
    const double sigma = std::sqrt(energy / static_cast<double>(row.size()));
    if (sigma > 0) {
      sums_.largest_sigmas = std::max(sums_.largest_sigmas, largest / sigma);
      sums_.outliers += std::count_if(row.begin(), row.end(), [&](float weight) {
        return std::abs(weight) > kOutlierSigmas * sigma;
      });
    }
    return true;
  }

  void round_on_grid(std::size_t part, std::span<const float> row) {
    const StoredType type = parts_[part].type;
    const auto width = static_cast<std::size_t>(info_of(type).block_elements);
    const auto last = static_cast<std::uint8_t>(sums_.levels[part].size() - 1);
    for (std::size_t from = 0; from < row.size(); from += width) {
      const std::span<const float> block = row.subspan(from, width);
      const BlockGrid grid = grid_of(type, block);
      nearest_codes(type, grid, block, codes_.data());
      values_of(type, grid, std::span(codes_).first(width), values_.data());
      sums_.errors[part] += squared_distance(block, values_.data());
      for (std::size_t i = 0; i < width; ++i) {
        ++sums_.levels[part][codes_[i]];
      }
      if (parts_[part].counts_positions) {
        const float lowest = value_of(type, grid, 0);
        const float highest = value_of(type, grid, last);
        for (const float weight : block) {
          ++sums_.positions[*parts_[part].positions][bin_of(weight, lowest, highest)];
        }
      }
    }
  }

  void round_trip(std::size_t part, std::span<const float> row) {
    const StoredType type = parts_[part].type;
    const auto elements = static_cast<std::int64_t>(row.size());
    stored_.resize(static_cast<std::size_t>(stored_bytes(type, elements)));
    read_.resize(row.size());
    encode_row(type, row.data(), stored_.data(), elements);
    decode_row(type, stored_.data(), read_.data(), elements);
    sums_.errors[part] += squared_distance(row, read_.data());
  }

  const std::vector<Part>& parts_;
  Sums sums_;
  std::array<std::uint8_t, kLargestBlock> codes_{};
  std::array<float, kLargestBlock> values_{};
  std::vector<std::byte> stored_;
  std::vector<float> read_;
};

// Of a type whose rows share tables: the matrix as a whole.
double table_error(StoredType type, std::span<const float> weight, std::int64_t out,
                   std::int64_t in) {
  std::vector<std::byte> stored(static_cast<std::size_t>(matrix_bytes(type, out, in)));
  std::vector<float> read(weight.size());
  encode_matrix(type, weight.data(), out, in, stored.data());
  decode_matrix(stored_matrix(type, stored.data(), out, in), read.data());
  return squared_distance(weight, read.data());
}

// error_share: the squared error, not yet a share. Precondition: all weights are finite.
RoundStatistics spqr_statistics(StoredType type, std::span<const float> weight, std::int64_t out,
                                std::int64_t in) {
  Matrix white(static_cast<std::size_t>(in * in));
  for (std::int64_t i = 0; i < in; ++i) {
    white[static_cast<std::size_t>(i * (in + 1))] = 1;
  }
  const auto rounded = round_spqr(type, weight, out, in, white, {});
  CHECK(rounded.ok(), "the identity is positive definite");
  const StoredMatrix stored = stored_matrix(type, rounded->stored.data(), out, in);
  std::vector<float> read(weight.size());
  decode_matrix(stored, read.data());
  RoundStatistics told{.bytes = static_cast<std::int64_t>(rounded->stored.size()),
                       .error_share = squared_distance(weight, read.data()),
                       .levels = {},
                       .positions = {},
                       .kept = rounded->outliers,
                       .kept_columns = std::vector<std::int64_t>(kPositionBins, 0)};
  const std::vector<std::int64_t> columns = outliers_by_column(stored);
  for (std::size_t column = 0; column < columns.size(); ++column) {
    told.kept_columns[column * kPositionBins / columns.size()] += columns[column];
  }
  return told;
}

// One palette to the matrix, all weights alike; none where it has not that many different values.
std::optional<RoundStatistics> palette_statistics(StoredType type, std::span<const float> weight,
                                                  std::int64_t out, std::int64_t in) {
  const auto rounded = round_palette(type, weight, out, in, {}, {});
  if (!rounded) {
    return std::nullopt;
  }
  return RoundStatistics{.bytes = static_cast<std::int64_t>(rounded->stored.size()),
                         .error_share = rounded->energy > 0 ? rounded->error / rounded->energy : 0,
                         .levels = {},
                         .positions = {}};
}

// Which types share positions, and how many lists of them there are.
std::vector<Part> parts_of(std::span<const StoredType> types, std::int64_t out, std::int64_t in,
                           std::size_t& position_lists) {
  std::vector<Part> parts;
  position_lists = 0;
  for (const StoredType type : types) {
    Part part{.type = type, .fits = in > 0 && fits_type(type, out, in)};
    if (part.fits && has_grid(type)) {
      const auto alike = std::find_if(parts.begin(), parts.end(), [&](const Part& other) {
        return other.positions && span_alike(other.type, type);
      });
      part.counts_positions = alike == parts.end();
      part.positions = part.counts_positions ? position_lists++ : *alike->positions;
    }
    parts.push_back(part);
  }
  return parts;
}

Sums none_of(const std::vector<Part>& parts, std::size_t position_lists) {
  Sums none;
  none.errors.assign(parts.size(), 0);
  for (const Part& part : parts) {
    none.levels.emplace_back(part.fits ? level_count(part.type) : 0, 0);
  }
  none.positions.assign(position_lists, std::vector<std::int64_t>(kPositionBins, 0));
  return none;
}

}  // namespace

Result<MatrixStatistics> round_statistics(std::span<const StoredType> types,
                                          std::span<const float> weight, std::int64_t out,
                                          std::int64_t in) {
  std::size_t position_lists = 0;
  const std::vector<Part> parts = parts_of(types, out, in, position_lists);
  Sums all = none_of(parts, position_lists);
  const auto chunks = static_cast<std::size_t>((out + kChunkRows - 1) / kChunkRows);
  std::vector<Sums> of_chunks(chunks);
  for_each_parallel(chunks, [&](std::size_t, std::size_t chunk) {
    Rows rows(parts, none_of(parts, position_lists));
    const auto first = static_cast<std::int64_t>(chunk) * kChunkRows;
    for (std::int64_t row = first; row < std::min(out, first + kChunkRows); ++row) {
      rows.add(weight.subspan(static_cast<std::size_t>(row * in), static_cast<std::size_t>(in)));
    }
    of_chunks[chunk] = rows.sums();
  });
  for (const Sums& chunk : of_chunks) {
    all.add(chunk);
  }
  if (!all.finite) {
    return Error{ErrorKind::kData, "some of its weights are not finite", "choose another model"};
  }
  MatrixStatistics matrix{.types = {},
                          .positions = std::move(all.positions),
                          .outliers = all.outliers,
                          .largest_sigmas = all.largest_sigmas};
  for (std::size_t i = 0; i < parts.size(); ++i) {
    auto& one = matrix.types.emplace_back();
    if (parts[i].fits && palette_form(parts[i].type).bits > 0) {
      one = palette_statistics(parts[i].type, weight, out, in);
      continue;
    }
    if (parts[i].fits && spqr_bits(parts[i].type) > 0) {
      one = spqr_statistics(parts[i].type, weight, out, in);
      one->error_share = all.energy > 0 ? one->error_share / all.energy : 0;
      continue;
    }
    if (parts[i].fits && has_tables(parts[i].type)) {
      all.errors[i] = table_error(parts[i].type, weight, out, in);
    }
    if (parts[i].fits) {
      one = RoundStatistics{.bytes = matrix_bytes(parts[i].type, out, in),
                            .error_share = all.energy > 0 ? all.errors[i] / all.energy : 0,
                            .levels = std::move(all.levels[i]),
                            .positions = parts[i].positions};
    }
  }
  return matrix;
}

std::vector<double> level_positions(StoredType type) {
  std::vector<double> positions;
  const std::size_t levels = level_count(type);
  const BlockGrid unit{.scale = 1, .offset = 0};
  for (std::size_t code = 0; code < levels; ++code) {
    positions.push_back(value_of(type, unit, static_cast<std::uint8_t>(code)));
  }
  if (!positions.empty()) {
    const double lowest = positions.front();
    const double highest = positions.back();
    for (double& position : positions) {
      position = 2 * (position - lowest) / (highest - lowest) - 1;
    }
  }
  return positions;
}

}  // namespace lathe
