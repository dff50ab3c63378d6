// What a stored matrix takes as a whole: codes, and the tables of types that have them.
#pragma once

#include <cstdint>

#include "engine/tensor/dtype.h"

namespace lathe {

// Whether matrices of one type and shape may be of different sizes: of spqr3 and spqr4 by their
// outliers, of palettes by the number of tables and by scales of rows.
constexpr bool has_extra_bytes(DType dtype) {
  return spqr_bits(dtype) > 0 || palette_form(dtype).bits > 0;
}

// The tables of a matrix of whole blocks without what is extra; 0 for types without.
constexpr std::int64_t tables_bytes(DType dtype, std::int64_t rows, std::int64_t cols) {
  const std::int64_t blocks = rows * cols / dtype_layout(dtype).block_elements;
  if (palette_form(dtype).bits > 0) {  // two words, where four bytes begin
    return 8 + (4 - size_bytes(dtype, rows * cols) % 4) % 4;
  }
  switch (dtype) {
    case DType::kInt8Row:
      return 4 * rows;
    case DType::kNf4Double:
      return 4 + (blocks + 255) / 256 * 4 + blocks;
    case DType::kSpqr3:
    case DType::kSpqr4:
      return rows / 16 * (cols / 16) * 8 + 4 * (rows + 1) + (3 * blocks + 3) / 4 * 4;
    default:
      return 0;
  }
}

// An outlier of spqr3 or spqr4: an f16 and the column, 16 bits each.
inline constexpr std::int64_t kOutlierBytes = 4;

// What is extra of a palette: a table of f16 per `rows_per_palette` rows, f32 scales of rows.
constexpr std::int64_t palette_extra_bytes(DType dtype, std::int64_t rows,
                                           std::int64_t rows_per_palette, bool scaled) {
  const PaletteForm form = palette_form(dtype);
  return rows / rows_per_palette * (std::int64_t{2} << form.bits) * form.dim +
         (scaled ? 4 * rows : 0);
}

// All of a matrix.
constexpr std::int64_t matrix_bytes(DType dtype, std::int64_t rows, std::int64_t cols,
                                    std::int64_t extra_bytes = 0) {
  return size_bytes(dtype, rows * cols) + tables_bytes(dtype, rows, cols) + extra_bytes;
}

// Whether a matrix can be of the type: whole blocks in a row, whole tiles of sixteen rows and
// columns that 16 bits number where there are outliers.
constexpr bool fits_type(DType dtype, std::int64_t rows, std::int64_t cols) {
  return cols % dtype_layout(dtype).block_elements == 0 &&
         (spqr_bits(dtype) == 0 || (rows % 16 == 0 && cols <= 65536));
}

}  // namespace lathe
