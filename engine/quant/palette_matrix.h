// A palette in its parts: indices and the tables that they point into
// (engine/quant/palette_decode.h has the layout).
#pragma once

#include <cstddef>
#include <cstdint>
#include <span>
#include <string>
#include <vector>

#include "engine/quant/stored_type.h"

namespace lathe {

struct PaletteParts {
  int bits = 4;  // 1 to 8
  int dim = 1;   // 1 to 4: neighbours of a row that one index stands for
  std::int64_t rows = 0, cols = 0;
  std::int64_t rows_per_palette = 0;     // divides rows
  std::vector<std::uint8_t> codes = {};  // [rows, cols / dim], below `clusters`
  std::int64_t clusters = 0;             // 1 to 2^bits; values above are 0
  std::vector<float> lut = {};           // [rows / rows_per_palette, clusters, dim]
  std::vector<float> row_scales = {};    // [rows], or empty: 1
};

// Values of the table are rounded to f16. Precondition: fits_type(), extents as said.
std::vector<std::byte> palette_matrix(const PaletteParts& parts);
// clusters = 2^bits. Precondition: matrix_error() is empty.
PaletteParts palette_parts(StoredType type, std::int64_t rows, std::int64_t cols,
                           std::span<const std::byte> bytes);
// What is wrong with the tables that a file brings, or "". Precondition: fits_type().
std::string palette_error(StoredType type, std::int64_t rows, std::int64_t cols,
                          std::span<const std::byte> bytes);

// ceil(bits * codes / 8) bytes: the lowest bit of each code first, across borders of bytes.
std::vector<std::byte> packed_codes(std::span<const std::uint8_t> codes, int bits);
// The inverse. Precondition: packed_codes() of so many would have as many bytes.
std::vector<std::uint8_t> unpacked_codes(std::span<const std::byte> packed, std::size_t count,
                                         int bits);

}  // namespace lathe
