// A stored matrix as a whole: what decode_row() and encode_row() do not know, the tables that rows
// of some types share (has_tables()), is of it too. table_decode.h has their layouts.
#pragma once

#include <cstddef>
#include <cstdint>
#include <span>
#include <string>
#include <vector>

#include "engine/quant/stored_type.h"
#include "engine/quant/table_decode.h"

namespace lathe {

StoredMatrix stored_matrix(StoredType type, const void* data, std::int64_t rows, std::int64_t cols);

// Columns [column, column + count) of a row. Precondition: whole blocks within the matrix.
void decode_part(const StoredMatrix& matrix, std::int64_t row, std::int64_t column, float* out,
                 std::int64_t count);
// All rows.
void decode_matrix(const StoredMatrix& matrix, float* out);

// Whether encode_matrix() writes this type: can_encode(), int8_row and nf4_dq.
bool can_encode_matrix(StoredType type);
// matrix_bytes() of them. int8_row: scale = the row's max|x| / 127. nf4_dq: codes as of nf4; their
// scales less the mean of all, 256 at a time, by the nearest code of the signed dynamic map.
// Precondition: can_encode_matrix(type), fits_type().
void encode_matrix(StoredType type, const float* values, std::int64_t rows, std::int64_t cols,
                   std::byte* out);

// What a matrix of so many bytes has beside matrix_bytes(); 0 of types without has_extra_bytes().
std::int64_t extra_bytes_of(StoredType type, std::int64_t rows, std::int64_t cols,
                            std::size_t bytes);
// How many outliers so many bytes have room for; 0 of types without.
std::int64_t outliers_of(StoredType type, std::int64_t rows, std::int64_t cols, std::size_t bytes);
// Of a matrix of spqr3 or spqr4: how many outliers each column has. Precondition: matrix_error() is
// empty.
std::vector<std::int64_t> outliers_by_column(const StoredMatrix& matrix);
// What is wrong with a matrix that a file brings, or "": its size, or tables that point out of it.
std::string matrix_error(StoredType type, std::int64_t rows, std::int64_t cols,
                         std::span<const std::byte> bytes);

// A matrix of spqr3 or spqr4 in its parts (SpQR, arXiv 2306.03078, section 4).
struct SpqrTile {  // of 16 rows and 16 columns: f16 each
  std::uint16_t scale_step = 0, scale_zero = 0, zero_step = 0, zero_zero = 0;
};
struct SpqrOutlier {
  std::uint16_t column = 0;
  std::uint16_t value = 0;  // f16, added to what the code gives
};
struct SpqrParts {
  int bits = 3;
  std::int64_t rows = 0, cols = 0;
  std::vector<std::uint8_t> codes = {};                         // [rows, cols]
  std::vector<std::uint8_t> scale_codes = {}, zero_codes = {};  // [rows, cols / 16], of three bits
  std::vector<SpqrTile> tiles = {};                             // [rows / 16, cols / 16]
  std::vector<std::vector<SpqrOutlier>> outliers = {};          // [rows], columns ascending
};
std::vector<std::byte> spqr_matrix(const SpqrParts& parts);

}  // namespace lathe
