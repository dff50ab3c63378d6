// Stored weights: decoding, and products that read the stored form. A chunk is decoded into the
// first-level cache and multiplied there, so memory is read once and in its packed size.
#include "engine/quant/block_decode.h"

#include "engine/backend/cpu/simd/copies.h"
#include "engine/backend/cpu/simd/packed_dot.h"
#include "engine/backend/cpu/simd/vector.h"

namespace lathe::cpu::LATHE_ISA {
namespace {

constexpr std::int64_t kChunk = 256;
// Sums per row: enough to hide the latency of addition.
constexpr int kSums = 4;

// Adds the chunk's products with each row of x to its sums.
template <int kRows>
inline void add_products(const float* weights, const float* x, std::int64_t stride,
                         std::int64_t count, Vector (&sums)[kRows][kSums]) {
  const std::int64_t full = count / (kSums * kLanes) * kSums * kLanes;
  for (std::int64_t at = 0; at < full; at += kSums * kLanes) {
    for (int i = 0; i < kSums; ++i) {
      const Vector w = load(weights, Full{at + i * kLanes});
      for (int row = 0; row < kRows; ++row) {
        sums[row][i] += w * load(x + row * stride, Full{at + i * kLanes});
      }
    }
  }
  sweep(count - full, [&](auto part) {
    const Vector w = load(weights + full, part);
    for (int row = 0; row < kRows; ++row) {
      sums[row][0] += w * load(x + row * stride + full, part);
    }
  });
}

void decode_chunk(const PackedRows& row, std::int64_t first, float* weights, std::int64_t count) {
  if (has_tables(row.dtype)) {
    decode_with_tables(row.matrix, row.first, first, weights, count);
  } else {
    decode(row.dtype, row.stored + first / kChunk * row.chunk_bytes, weights, count);
  }
}

template <int kRows>
void dots(const PackedRows& row) {
  alignas(64) float weights[kChunk];
  Vector sums[kRows][kSums] = {};
  const std::int64_t chunk = kChunk - kChunk % dtype_layout(row.dtype).block_elements;
  for (std::int64_t first = 0; first < row.width; first += chunk) {
    const std::int64_t left = row.width - first;
    const std::int64_t count = left < chunk ? left : chunk;
    decode_chunk(row, first, weights, count);
    add_products<kRows>(weights, row.x + first, row.width, count, sums);
  }
  for (int i = 0; i < kRows; ++i) {
    row.sums[i] = sum_of((sums[i][0] + sums[i][1]) + (sums[i][2] + sums[i][3]));
  }
}

}  // namespace

void decode(DType dtype, const unsigned char* stored, float* out, std::int64_t count) {
  block::decode_run(dtype, stored, out, count);
}

void decode_with_tables(const StoredMatrix& matrix, std::int64_t row, std::int64_t column,
                        float* out, std::int64_t count) {
  block::decode_with_tables(matrix, row, column, out, count);
}

void packed_dots(const PackedRows& weight) {
  if (packed_dot(weight)) {
    return;
  }
  for (std::int64_t i = 0; i < weight.count; ++i) {
    PackedRows row = weight;
    row.stored += i * weight.row_bytes;
    row.first += i;
    row.sums += i * weight.rows;
    switch (weight.rows) {
      case 1:
        dots<1>(row);
        break;
      case 2:
        dots<2>(row);
        break;
      case 3:
        dots<3>(row);
        break;
      default:
        dots<4>(row);
        break;
    }
  }
}

}  // namespace lathe::cpu::LATHE_ISA
