// c += a b on packed tiles: rows of b and c are whole registers, a is read element by element with
// any strides (so a transpose costs nothing). A block of rows times columns stays in registers.
#pragma once

#include "engine/backend/cpu/simd/vector.h"

namespace lathe::cpu {
namespace {

struct LeftTile {
  const float* a;
  std::int64_t a_row;   // from one row of the product to the next
  std::int64_t a_step;  // along the summed extent
};

// n and k are multiples of 16 and rows of b and c lie n apart.
struct TileExtents {
  std::int64_t m, n, k;
};

template <int kRows, int kColumns>
inline void matmul_block(const LeftTile& left, const float* b, float* c,
                         const TileExtents& extents) {
  Vector sums[kRows][kColumns];
  for (int row = 0; row < kRows; ++row) {
    for (int column = 0; column < kColumns; ++column) {
      sums[row][column] = load(c + row * extents.n, Full{column * kLanes});
    }
  }
  for (std::int64_t step = 0; step < extents.k; ++step) {
    Vector right[kColumns];
    for (int column = 0; column < kColumns; ++column) {
      right[column] = load(b + step * extents.n, Full{column * kLanes});
    }
    for (int row = 0; row < kRows; ++row) {
      const float value = left.a[row * left.a_row + step * left.a_step];
      for (int column = 0; column < kColumns; ++column) {
        sums[row][column] += value * right[column];
      }
    }
  }
  for (int row = 0; row < kRows; ++row) {
    for (int column = 0; column < kColumns; ++column) {
      store(c + row * extents.n, Full{column * kLanes}, sums[row][column]);
    }
  }
}

template <int kRows>
inline void matmul_rows(const LeftTile& left, const float* b, float* c,
                        const TileExtents& extents) {
  std::int64_t column = 0;
  for (; column + 2 * kLanes <= extents.n; column += 2 * kLanes) {
    matmul_block<kRows, 2>(left, b + column, c + column, extents);
  }
  for (; column < extents.n; column += kLanes) {
    matmul_block<kRows, 1>(left, b + column, c + column, extents);
  }
}

// Blocks of LATHE_BLOCK_ROWS x 2 registers use what the instruction set has; m is a multiple of 4.
inline void small_matmul(const LeftTile& left, const float* b, float* c,
                         const TileExtents& extents) {
  std::int64_t row = 0;
  for (; row + LATHE_BLOCK_ROWS <= extents.m; row += LATHE_BLOCK_ROWS) {
    const LeftTile rows{left.a + row * left.a_row, left.a_row, left.a_step};
    matmul_rows<LATHE_BLOCK_ROWS>(rows, b, c + row * extents.n, extents);
  }
  for (; row < extents.m; row += 4) {
    const LeftTile rows{left.a + row * left.a_row, left.a_row, left.a_step};
    matmul_rows<4>(rows, b, c + row * extents.n, extents);
  }
}

}  // namespace
}  // namespace lathe::cpu
