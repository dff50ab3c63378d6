// See stored_matrix.h.
#include "engine/quant/stored_matrix.h"

#include <algorithm>
#include <cmath>
#include <cstring>

#include "engine/base/check.h"
#include "engine/quant/block_codec.h"
#include "engine/quant/block_grid.h"
#include "engine/quant/palette_matrix.h"

namespace lathe {
namespace {

constexpr std::int64_t kNf4Block = 64;
constexpr std::int64_t kScalesTogether = 256;  // that one f32 is shared by

template <typename Number>
void put(Number number, std::byte* to) {
  std::memcpy(to, &number, sizeof number);
}

float greatest_size(std::span<const float> values) {
  float greatest = 0;
  for (const float value : values) {
    greatest = std::max(greatest, std::abs(value));
  }
  return greatest;
}

void encode_int8_rows(std::span<const float> values, std::int64_t rows, std::byte* out) {
  const std::size_t cols = values.size() / static_cast<std::size_t>(rows);
  for (std::int64_t row = 0; row < rows; ++row) {
    const auto of_row = values.subspan(static_cast<std::size_t>(row) * cols, cols);
    const float most = greatest_size(of_row);
    const float inverse = most > 0 ? 127.0f / most : 0.0f;
    for (std::size_t i = 0; i < cols; ++i) {
      const float level = std::clamp(std::nearbyint(of_row[i] * inverse), -127.0f, 127.0f);
      out[static_cast<std::size_t>(row) * cols + i] =
          static_cast<std::byte>(static_cast<std::int8_t>(level == level ? level : 0.0f));
    }
    put(most / 127.0f, out + values.size() + 4 * row);
  }
}

void encode_nf4_dq(std::span<const float> values, std::byte* out) {
  const std::int64_t blocks = static_cast<std::int64_t>(values.size()) / kNf4Block;
  std::vector<float> scales;
  double sum = 0;
  for (std::int64_t i = 0; i < blocks; ++i) {
    std::byte block[4 + kNf4Block / 2];
    encode_row(StoredType::kNf4, values.data() + i * kNf4Block, block, kNf4Block);
    std::memcpy(&scales.emplace_back(), block, 4);
    std::memcpy(out + i * kNf4Block / 2, block + 4, kNf4Block / 2);
    sum += double{scales.back()};
  }
  const float mean = blocks > 0 ? static_cast<float>(sum / static_cast<double>(blocks)) : 0.0f;
  std::byte* const steps = out + blocks * kNf4Block / 2 + 4;
  std::byte* const codes = steps + (blocks + kScalesTogether - 1) / kScalesTogether * 4;
  put(mean, steps - 4);
  for (std::int64_t first = 0; first < blocks; first += kScalesTogether) {
    std::vector<float> some(
        scales.begin() + first,
        scales.begin() + std::min(first + kScalesTogether, static_cast<std::int64_t>(blocks)));
    for (float& scale : some) {
      scale -= mean;
    }
    const float most = greatest_size(some);
    put(most, steps + first / kScalesTogether * 4);
    for (std::size_t i = 0; i < some.size(); ++i) {
      const float share = most > 0 ? some[i] / most : 0.0f;
      codes[first + static_cast<std::int64_t>(i)] = static_cast<std::byte>(
          nearest_code(DynamicMap::kSigned, kSignedValues.data(), share == share ? share : 0.0f));
    }
  }
}

std::string spqr_error(const StoredMatrix& w, std::int64_t outliers) {
  const auto check = [&](const auto& tables) -> std::string {
    std::int64_t at = tables.first_outlier(0);
    if (at != 0) {
      return "its outliers do not begin with the first row's";
    }
    for (std::int64_t row = 0; row < w.rows; ++row) {
      const std::int64_t end = tables.first_outlier(row + 1);
      if (end < at || end > outliers) {
        return "the outliers of row " + std::to_string(row) + " end at " + std::to_string(end) +
               " of " + std::to_string(outliers);
      }
      for (std::int64_t least = 0; at < end; ++at) {
        const std::int64_t column =
            block::outlier_column(block::long_word_at(tables.outliers + 4 * at));
        if (column < least || column >= w.cols) {
          return "row " + std::to_string(row) + " has an outlier in column " +
                 std::to_string(column) + " of " + std::to_string(w.cols) + ", or out of order";
        }
        least = column + 1;
      }
    }
    return at == outliers ? "" : "it has more outliers than its rows tell of";
  };
  return spqr_bits(w.dtype) == 3 ? check(block::SpqrTables<3>(w)) : check(block::SpqrTables<4>(w));
}

void put_codes(const SpqrParts& parts, std::byte* out) {
  const StoredType type = group_dtype(parts.bits, 32);
  std::vector<std::byte> block(static_cast<std::size_t>(info_of(type).block_bytes));
  for (std::size_t at = 0; at < parts.codes.size(); at += 32) {
    put_block(type, {}, std::span(parts.codes).subspan(at, 32), block.data());
    std::memcpy(out, block.data() + 4, block.size() - 4);
    out += block.size() - 4;
  }
}

}  // namespace

StoredMatrix stored_matrix(StoredType type, const void* data, std::int64_t rows,
                           std::int64_t cols) {
  return {type, static_cast<const unsigned char*>(data), rows, cols};
}

void decode_part(const StoredMatrix& matrix, std::int64_t row, std::int64_t column, float* out,
                 std::int64_t count) {
  const std::int64_t block = info_of(matrix.dtype).block_elements;
  CHECK(column % block == 0 && count % block == 0 && column + count <= matrix.cols &&
            row < matrix.rows,
        "a part of a stored matrix is whole blocks of it");
  if (has_tables(matrix.dtype)) {
    block::decode_with_tables(matrix, row, column, out, count);
    return;
  }
  const unsigned char* const from =
      matrix.data + size_bytes(matrix.dtype, row * matrix.cols + column);
  decode_row(matrix.dtype, reinterpret_cast<const std::byte*>(from), out, count);
}

void decode_matrix(const StoredMatrix& matrix, float* out) {
  for (std::int64_t row = 0; row < matrix.rows; ++row) {
    decode_part(matrix, row, 0, out + row * matrix.cols, matrix.cols);
  }
}

bool can_encode_matrix(StoredType type) {
  return type == StoredType::kInt8Row || type == StoredType::kNf4Double ||
         (!has_tables(type) && can_encode(type));
}

void encode_matrix(StoredType type, const float* values, std::int64_t rows, std::int64_t cols,
                   std::byte* out) {
  CHECK(can_encode_matrix(type) && fits_type(type, rows, cols), "a matrix that the type can hold");
  const std::span<const float> all(values, static_cast<std::size_t>(rows * cols));
  if (type == StoredType::kInt8Row) {
    encode_int8_rows(all, rows, out);
  } else if (type == StoredType::kNf4Double) {
    encode_nf4_dq(all, out);
  } else {
    encode_row(type, values, out, rows * cols);
  }
}

std::int64_t extra_bytes_of(StoredType type, std::int64_t rows, std::int64_t cols,
                            std::size_t bytes) {
  return has_extra_bytes(type) ? static_cast<std::int64_t>(bytes) - matrix_bytes(type, rows, cols)
                               : 0;
}

std::int64_t outliers_of(StoredType type, std::int64_t rows, std::int64_t cols, std::size_t bytes) {
  return spqr_bits(type) == 0 ? 0 : extra_bytes_of(type, rows, cols, bytes) / kOutlierBytes;
}

std::vector<std::int64_t> outliers_by_column(const StoredMatrix& matrix) {
  std::vector<std::int64_t> counts(static_cast<std::size_t>(matrix.cols), 0);
  const auto count = [&](const auto& tables) {
    for (std::uint32_t i = 0; i < tables.first_outlier(matrix.rows); ++i) {
      ++counts[block::outlier_column(block::long_word_at(tables.outliers + 4 * std::int64_t{i}))];
    }
  };
  spqr_bits(matrix.dtype) == 3 ? count(block::SpqrTables<3>(matrix))
                               : count(block::SpqrTables<4>(matrix));
  return counts;
}

std::string matrix_error(StoredType type, std::int64_t rows, std::int64_t cols,
                         std::span<const std::byte> bytes) {
  std::string what(info_of(type).name);
  what.append(" [").append(std::to_string(rows)).append(", ").append(std::to_string(cols));
  what.append("]");
  if (!fits_type(type, rows, cols)) {
    return what + " is no whole blocks";
  }
  if (palette_form(type).bits > 0) {
    const std::string wrong = palette_error(type, rows, cols, bytes);
    return wrong.empty() ? "" : what + " " + wrong;
  }
  const std::int64_t least = matrix_bytes(type, rows, cols);
  const std::int64_t outliers = outliers_of(type, rows, cols, bytes.size());
  if (outliers < 0 || static_cast<std::int64_t>(bytes.size()) != least + outliers * kOutlierBytes) {
    return what + " is " + std::to_string(least) + " bytes" +
           (spqr_bits(type) > 0 ? " and four for each outlier" : "") + ", not " +
           std::to_string(bytes.size());
  }
  return spqr_bits(type) > 0 ? spqr_error(stored_matrix(type, bytes.data(), rows, cols), outliers)
                             : "";
}

std::vector<std::byte> spqr_matrix(const SpqrParts& parts) {
  const StoredType type = parts.bits == 3 ? StoredType::kSpqr3 : StoredType::kSpqr4;
  CHECK(spqr_bits(type) == parts.bits && fits_type(type, parts.rows, parts.cols),
        "levels of three or four bits, whole tiles");
  std::int64_t outliers = 0;
  for (const auto& row : parts.outliers) {
    outliers += static_cast<std::int64_t>(row.size());
  }
  std::vector<std::byte> out(static_cast<std::size_t>(
      matrix_bytes(type, parts.rows, parts.cols, outliers * kOutlierBytes)));
  put_codes(parts, out.data());
  std::byte* at = out.data() + size_bytes(type, parts.rows * parts.cols);
  for (const SpqrTile& tile : parts.tiles) {
    put(tile, at);
    at += sizeof tile;
  }
  std::uint32_t first = 0;
  for (std::size_t row = 0; row <= parts.outliers.size(); ++row, at += 4) {
    put(first, at);
    first +=
        row < parts.outliers.size() ? static_cast<std::uint32_t>(parts.outliers[row].size()) : 0;
  }
  std::byte* const steps = at;
  for (std::size_t group = 0; group < parts.scale_codes.size(); group += 4, at += 3) {
    std::uint32_t word = 0;
    for (unsigned i = 0; i < 4; ++i) {
      word |= (parts.scale_codes[group + i] | std::uint32_t{parts.zero_codes[group + i]} << 3)
              << 6 * i;
    }
    std::memcpy(at, &word, 3);
  }
  at = steps + (at - steps + 3) / 4 * 4;
  for (const auto& row : parts.outliers) {
    for (const SpqrOutlier& outlier : row) {
      put(std::uint32_t{outlier.value} << 16 | outlier.column, at);
      at += kOutlierBytes;
    }
  }
  return out;
}

}  // namespace lathe
