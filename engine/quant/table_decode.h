// Matrices of the types that have tables, some columns of a row at a time, to f32. For
// stored_matrix.cpp and the kernels alone: always inlined, because those exist in copies compiled
// for several instruction sets. Behind the codes of all rows lie
//   int8_row  an f32 scale per row
//   nf4_dq    an f32 mean, an f32 per 256 blocks, a code of the signed dynamic map per block
//   spqrB     four f16 per tile of 16 rows and 16 columns; where the outliers of each row begin,
//             and where the last ones end (u32); three bytes per block of 64, of four 3-bit scales
//             and offsets, up to a multiple of four; the outliers of each row by column, a u32 of
//             an f16 and the column
//   palette…  what palette_decode.h says
#pragma once

#include <cstdint>

#include "engine/quant/block_decode_grid.h"
#include "engine/quant/dynamic_map.h"
#include "engine/quant/matrix_view.h"
#include "engine/quant/palette_decode.h"
#include "engine/tensor/dtype.h"

namespace lathe {

namespace block {

[[gnu::always_inline]] inline float int8_row_scale(const StoredMatrix& w, std::int64_t row) {
  return float_at(w.data + w.rows * w.cols + 4 * row);
}

// The scale of a block of nf4_dq, by its number in the matrix. In f64, where the product is exact,
// so that it does not matter whether a compiler fuses it with the sum.
[[gnu::always_inline]] inline float nf4_dq_scale(const StoredMatrix& w, std::int64_t number) {
  const Byte* const tables = w.data + w.rows * w.cols / 2;
  const std::int64_t blocks = w.rows * w.cols / 64;
  const Byte code = tables[4 + (blocks + 255) / 256 * 4 + number];
  const double step = float_at(tables + 4 + number / 256 * 4);
  return static_cast<float>(double{kSignedValues[code]} * step + double{float_at(tables)});
}

// Of sixteen elements: (code - zero) * scale.
struct SpqrGroup {
  float scale, zero;
};

template <int kBits>
struct SpqrTables {
  [[gnu::always_inline]] explicit SpqrTables(const StoredMatrix& w)
      : tiles(w.data + w.rows * w.cols / 8 * kBits),
        offsets(tiles + w.rows / 16 * (w.cols / 16) * 8),
        steps(offsets + 4 * (w.rows + 1)),
        outliers(steps + (3 * (w.rows * w.cols / 64) + 3) / 4 * 4) {}

  // Of the four groups of a block: six bits each, those of the first one lowest.
  [[gnu::always_inline]] std::uint32_t block_steps(std::int64_t number) const {
    const Byte* const at = steps + 3 * number;
    return static_cast<std::uint32_t>(at[0]) | static_cast<std::uint32_t>(at[1]) << 8 |
           static_cast<std::uint32_t>(at[2]) << 16;
  }
  [[gnu::always_inline]] SpqrGroup group(const StoredMatrix& w, std::int64_t row,
                                         std::int64_t column, std::uint32_t steps_of_block) const {
    const Byte* const tile = tiles + (row / 16 * (w.cols / 16) + column / 16) * 8;
    const std::uint32_t six = steps_of_block >> column / 16 % 4 * 6;
    return {(static_cast<float>(six & 7) - half_at(tile + 2)) * half_at(tile),
            (static_cast<float>(six >> 3 & 7) - half_at(tile + 6)) * half_at(tile + 4)};
  }
  [[gnu::always_inline]] std::uint32_t first_outlier(std::int64_t row) const {
    return long_word_at(offsets + 4 * row);
  }

  const Byte* tiles;
  const Byte* offsets;
  const Byte* steps;
  const Byte* outliers;
};

[[gnu::always_inline]] inline std::uint32_t outlier_column(std::uint32_t outlier) {
  return outlier & 0xffffu;
}
[[gnu::always_inline]] inline float outlier_value(std::uint32_t outlier) {
  const auto half = static_cast<std::uint16_t>(outlier >> 16);
  Byte bytes[2];
  __builtin_memcpy(bytes, &half, sizeof bytes);
  return half_at(bytes);
}

[[gnu::always_inline]] inline void decode_int8_row(const StoredMatrix& w, std::int64_t row,
                                                   std::int64_t column, float* out,
                                                   std::int64_t count) {
  const float scale = int8_row_scale(w, row);
  const Byte* const codes = w.data + row * w.cols + column;
  for (std::int64_t i = 0; i < count; i += 16) {
    widen<false>(load16(codes + i), scale, 0.0f, out + i);
  }
}

[[gnu::always_inline]] inline void decode_nf4_dq(const StoredMatrix& w, std::int64_t row,
                                                 std::int64_t column, float* out,
                                                 std::int64_t count) {
  const std::int64_t first = row * w.cols + column;
  for (std::int64_t i = 0; i < count; i += 64) {
    const float scale = nf4_dq_scale(w, (first + i) / 64);
    const Byte* const codes = w.data + (first + i) / 2;
    nf4_values(load16(codes), scale, out + i);
    nf4_values(load16(codes + 16), scale, out + i + 32);
  }
}

// Adds the outliers of a row that lie in [column, column + count).
template <int kBits>
[[gnu::always_inline]] inline void add_outliers(const SpqrTables<kBits>& tables, std::int64_t row,
                                                std::int64_t column, float* out,
                                                std::int64_t count) {
  const std::uint32_t end = tables.first_outlier(row + 1);
  std::uint32_t low = tables.first_outlier(row);
  for (std::uint32_t high = end; low < high;) {
    const std::uint32_t middle = low + (high - low) / 2;
    const bool before = outlier_column(long_word_at(tables.outliers + 4 * std::int64_t{middle})) <
                        static_cast<std::uint32_t>(column);
    low = before ? middle + 1 : low;
    high = before ? high : middle;
  }
  for (; low < end; ++low) {
    const std::uint32_t outlier = long_word_at(tables.outliers + 4 * std::int64_t{low});
    const std::int64_t place = std::int64_t{outlier_column(outlier)} - column;
    if (place >= count) {
      return;
    }
    out[place] += outlier_value(outlier);
  }
}

template <int kBits>
[[gnu::always_inline]] inline void decode_spqr(const StoredMatrix& w, std::int64_t row,
                                               std::int64_t column, float* out,
                                               std::int64_t count) {
  const SpqrTables<kBits> tables(w);
  for (std::int64_t i = 0; i < count; i += 64) {
    const std::int64_t number = (row * w.cols + column + i) / 64;
    const std::uint32_t steps = tables.block_steps(number);
    for (int run = 0; run < 2; ++run) {
      const Levels32 codes = codes_at<kBits>(w.data + 8 * kBits * number + 4 * kBits * run);
      const Bytes16 halves[2] = {codes.first, codes.second};
      for (int half = 0; half < 2; ++half) {
        const int at = 32 * run + 16 * half;
        const SpqrGroup group = tables.group(w, row, column + i + at, steps);
        float* const to = out + i + at;
        widen<false>(halves[half], 1.0f, 0.0f, to);
        for (int j = 0; j < 16; ++j) {
          to[j] = (to[j] - group.zero) * group.scale;
        }
      }
    }
  }
  add_outliers(tables, row, column, out, count);
}

// `count` columns, whole blocks, of a matrix of a type that has tables.
[[gnu::always_inline]] inline void decode_with_tables(const StoredMatrix& w, std::int64_t row,
                                                      std::int64_t column, float* out,
                                                      std::int64_t count) {
  switch (w.dtype) {
    case DType::kInt8Row:
      return decode_int8_row(w, row, column, out, count);
    case DType::kNf4Double:
      return decode_nf4_dq(w, row, column, out, count);
    case DType::kSpqr3:
      return decode_spqr<3>(w, row, column, out, count);
    case DType::kSpqr4:
      return decode_spqr<4>(w, row, column, out, count);
    default:
      return with_palette(w.dtype, [&]<int kBits, int kDim>() {
        decode_palette<kBits, kDim>(w, row, column, out, count);
      });
  }
}

}  // namespace block
}  // namespace lathe
