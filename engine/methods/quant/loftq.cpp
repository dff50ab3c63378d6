// See loftq.h.
#include "engine/methods/quant/loftq.h"

#include <cblas.h>

#include "engine/base/check.h"
#include "engine/quant/stored_matrix.h"

namespace lathe {
namespace {

// to -= b a.
void take_away(std::vector<float>& to, const FactorPair& pair, std::int64_t out, std::int64_t in) {
  const auto rank = static_cast<int>(pair.a.size() / static_cast<std::size_t>(in));
  cblas_sgemm(CblasRowMajor, CblasNoTrans, CblasNoTrans, static_cast<int>(out),
              static_cast<int>(in), rank, -1.0f, pair.b.data(), rank, pair.a.data(),
              static_cast<int>(in), 1.0f, to.data(), static_cast<int>(in));
}

double squares(const std::vector<float>& values) {
  double sum = 0;
  for (const float value : values) {
    sum += double{value} * double{value};
  }
  return sum;
}

}  // namespace

LoftqWeight round_loftq(StoredType type, std::span<const float> weight, std::int64_t out,
                        std::int64_t in, const LoftqOptions& options) {
  CHECK(options.rounds >= 1, "at least one round");
  const std::vector<float> whole(weight.begin(), weight.end());
  std::vector<float> wanted = whole;
  LoftqWeight best;
  for (std::int64_t round = 1; round <= options.rounds; ++round) {
    LoftqWeight next{
        .rounded = round_nearest(type, wanted, out, in, {}), .factors = {}, .rounds = round};
    std::vector<float> left(whole.size());
    decode_matrix(stored_matrix(type, next.rounded.stored.data(), out, in), left.data());
    for (std::size_t i = 0; i < left.size(); ++i) {
      left[i] = whole[i] - left[i];
    }
    next.factors = leading_factors(left, out, in, options.rank);
    take_away(left, next.factors, out, in);
    next.rounded.error = squares(left);
    next.rounded.energy = squares(whole);
    if (round > 1 && !(next.rounded.error < best.rounded.error)) {
      break;
    }
    wanted = whole;
    take_away(wanted, next.factors, out, in);
    best = std::move(next);
  }
  return best;
}

}  // namespace lathe
