// Some rows of a stored weight times a few rows of x: what packed_matmul and packed_group do with
// one thread.
#pragma once

#include <array>
#include <cstdint>

#include "engine/backend/cpu/cpu_backend.h"

namespace lathe::cpu {

inline const unsigned char* stored_at(const TensorRef& w, std::int64_t row, std::int64_t column) {
  return static_cast<const unsigned char*>(w.data) + size_bytes(w.dtype, row * w.cols() + column);
}

inline StoredMatrix matrix_of(const TensorRef& w) {
  return {w.dtype, static_cast<const unsigned char*>(w.data), w.rows(), w.cols()};
}

// Columns [column, column + count) of a row, whole blocks.
inline void decode_columns(const TensorRef& w, std::int64_t row, std::int64_t column, float* to,
                           std::int64_t count) {
  if (has_tables(w.dtype)) {
    kernels().decode_with_tables(matrix_of(w), row, column, to, count);
  } else {
    kernels().decode(w.dtype, stored_at(w, row, column), to, count);
  }
}

// Rows of the weight in one call of the kernel.
inline constexpr std::int64_t kRowsTogether = 32;

// Rows [first, first + count) of the weight, at most kRowsTogether; args as packed_matmul's, with
// at most kPackedFewRows rows of x.
inline void multiply_rows(const PackedMatmulArgs& args, std::int64_t first, std::int64_t count) {
  const std::int64_t rows = args.x.rows();
  std::array<float, kRowsTogether * kPackedFewRows> sums{};
  kernels().packed_dots({.dtype = args.w.dtype,
                         .matrix = matrix_of(args.w),
                         .first = first,
                         .stored = stored_at(args.w, first, 0),
                         .count = count,
                         .row_bytes = size_bytes(args.w.dtype, args.w.cols()),
                         .chunk_bytes = size_bytes(args.w.dtype, 256),
                         .x = args.x.f32(),
                         .rows = rows,
                         .width = args.w.cols(),
                         .sums = sums.data()});
  for (std::int64_t o = 0; o < count; ++o) {
    for (std::int64_t n = 0; n < rows; ++n) {
      float& y = args.y.f32()[n * args.w.rows() + first + o];
      y = sums[static_cast<std::size_t>(o * rows + n)] + (args.beta == 0.0f ? 0.0f : args.beta * y);
    }
  }
}

}  // namespace lathe::cpu
