// c = a b, or c += a b, on packed tiles: rows of b and c are whole registers, a is read element by
// element with any strides (so a transpose costs nothing). A block of rows times columns stays in
// registers. On the diagonal of causal attention half of a tile is zero and is left out.
#pragma once

#include "engine/backend/cpu/simd/vector.h"

namespace lathe::cpu {
namespace {

// Which part of the product is asked for, or which part of `a` is not zero.
enum class Part {
  kAll,
  kResultLower,  // elements of c on and below its diagonal (others may or may not be written)
  kLeftLower,    // a is zero above its diagonal
  kLeftUpper     // a is zero below its diagonal
};

struct TileProduct {
  const float* a;
  std::int64_t a_row;   // from one row of the product to the next
  std::int64_t a_step;  // along the summed extent
  const float* b;
  float* c;
  std::int64_t m, n, k;  // n is a multiple of 16, m of 8; rows of b and c lie n apart
  bool add_to = false;
  Part part = Part::kAll;
};

template <int kRows, int kColumns>
inline void product_block(const TileProduct& product, std::int64_t row, std::int64_t column,
                          std::int64_t first, std::int64_t end) {
  float* c = product.c + row * product.n + column;
  const float* a = product.a + row * product.a_row;
  const float* b = product.b + column;
  Vector sums[kRows][kColumns];
  for (int i = 0; i < kRows; ++i) {
    for (int j = 0; j < kColumns; ++j) {
      sums[i][j] = product.add_to ? load(c + i * product.n, Full{j * kLanes}) : Vector{};
    }
  }
  for (std::int64_t step = first; step < end; ++step) {
    Vector right[kColumns];
    for (int j = 0; j < kColumns; ++j) {
      right[j] = load(b + step * product.n, Full{j * kLanes});
    }
    for (int i = 0; i < kRows; ++i) {
      const float left = a[i * product.a_row + step * product.a_step];
      for (int j = 0; j < kColumns; ++j) {
        sums[i][j] += left * right[j];
      }
    }
  }
  for (int i = 0; i < kRows; ++i) {
    for (int j = 0; j < kColumns; ++j) {
      store(c + i * product.n, Full{j * kLanes}, sums[i][j]);
    }
  }
}

inline void small_matmul(const TileProduct& product) {
  constexpr int kRows = LATHE_BLOCK_ROWS;
  for (std::int64_t row = 0; row < product.m; row += kRows) {
    const std::int64_t last = row + kRows;
    const std::int64_t columns = product.part == Part::kResultLower && last < product.n
                                     ? (last + kLanes - 1) / kLanes * kLanes
                                     : product.n;
    const std::int64_t first = product.part == Part::kLeftUpper ? row : 0;
    const std::int64_t end =
        product.part == Part::kLeftLower && last < product.k ? last : product.k;
    std::int64_t column = 0;
    while (column < columns) {
      // Three registers wide where that leaves no lone one behind.
      const std::int64_t left = (columns - column) / kLanes;
      if (LATHE_BLOCK_COLUMNS == 3 && (left == 3 || left > 4)) {
        product_block<kRows, 3>(product, row, column, first, end);
        column += 3 * kLanes;
      } else if (left >= 2) {
        product_block<kRows, 2>(product, row, column, first, end);
        column += 2 * kLanes;
      } else {
        product_block<kRows, 1>(product, row, column, first, end);
        column += kLanes;
      }
    }
  }
}

}  // namespace
}  // namespace lathe::cpu
