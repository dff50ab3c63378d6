// See rounded_weight.h.
#include "engine/methods/quant/rounded_weight.h"

#include <omp.h>

#include <numeric>

#include "engine/quant/block_codec.h"
#include "engine/quant/stored_matrix.h"

namespace lathe {
namespace {

// E||A x||^2 = tr(A M A^T); of white inputs without a moment.
double output_energy(const std::vector<double>& a, std::int64_t out, std::int64_t in,
                     const Matrix& moment) {
  const Matrix sent = moment.empty() ? a : product(a, moment, out, in, in);
  return std::inner_product(a.begin(), a.end(), sent.begin(), 0.0);
}

}  // namespace

void measure(StoredType type, std::span<const float> weight, std::int64_t out, std::int64_t in,
             const Matrix& moment, RoundedWeight& rounded) {
  std::vector<float> read(weight.size());
  decode_matrix(stored_matrix(type, rounded.stored.data(), out, in), read.data());
  std::vector<double> difference(weight.begin(), weight.end());
  rounded.energy = output_energy(difference, out, in, moment);
  for (std::size_t i = 0; i < read.size(); ++i) {
    difference[i] -= double{read[i]};
  }
  rounded.error = output_energy(difference, out, in, moment);
}

RoundedWeight round_nearest(StoredType type, std::span<const float> weight, std::int64_t out,
                            std::int64_t in, const Matrix& moment) {
  RoundedWeight rounded;
  rounded.stored.resize(static_cast<std::size_t>(matrix_bytes(type, out, in)));
  if (has_tables(type)) {
    encode_matrix(type, weight.data(), out, in, rounded.stored.data());
  } else {
#pragma omp parallel for num_threads(omp_get_num_procs())
    for (std::int64_t row = 0; row < out; ++row) {
      encode_row(type, weight.data() + row * in,
                 rounded.stored.data() + stored_bytes(type, row * in), in);
    }
  }
  measure(type, weight, out, in, moment, rounded);
  return rounded;
}

}  // namespace lathe
