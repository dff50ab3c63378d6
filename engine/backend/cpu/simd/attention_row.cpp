// One query against kept keys and values: all scores, their softmax, the mixture.
#include "engine/backend/cpu/simd/copies.h"
#include "engine/backend/cpu/simd/vector.h"

namespace lathe::cpu::LATHE_ISA {

void attention_row(const AttentionRow& row) {
  for (std::int64_t j = 0; j < row.keys; ++j) {
    const float* key = row.k.data + j * row.k.stride;
    Vector sum{};
    sweep(row.head_dim, [&](auto part) { sum += load(row.q, part) * load(key, part); });
    row.scratch[j] = sum_of(sum) * row.scale;
  }
  const float top = row_max(row.scratch, row.keys);
  const double total = exp_sum_in_place(row.scratch, top, row.keys);
  const float inverse = static_cast<float>(1.0 / total);
  sweep(row.head_dim, [&](auto part) {
    Vector sums[2] = {};
    for (std::int64_t j = 0; j < row.keys; ++j) {
      sums[j % 2] += row.scratch[j] * load(row.v.data + j * row.v.stride, part);
    }
    store(row.out, part, (sums[0] + sums[1]) * inverse);
  });
}

}  // namespace lathe::cpu::LATHE_ISA
