// LoftQ: what matrix and adapter are off by together (check 10 of the reference).
#include "engine/methods/quant/loftq.h"

#include <gtest/gtest.h>

#include "engine/base/rng.h"
#include "engine/quant/stored_matrix.h"

namespace lathe {
namespace {

constexpr std::int64_t kOut = 96;
constexpr std::int64_t kIn = 128;

std::vector<float> random_weight() {
  Rng rng(31, 1);
  std::vector<float> values;
  for (std::int64_t i = 0; i < kOut * kIn; ++i) {
    double sum = -6;
    for (int j = 0; j < 12; ++j) {
      sum += rng.next_unit();
    }
    values.push_back(static_cast<float>(0.05 * sum));
  }
  return values;
}

// ||W - Q - B A||^2, summed in double.
double off(const std::vector<float>& weight, StoredType type, const LoftqWeight& made,
           std::int64_t rank) {
  std::vector<float> q(weight.size());
  decode_matrix(stored_matrix(type, made.rounded.stored.data(), kOut, kIn), q.data());
  double sum = 0;
  for (std::int64_t i = 0; i < kOut; ++i) {
    for (std::int64_t j = 0; j < kIn; ++j) {
      double product = 0;
      for (std::int64_t k = 0; k < rank; ++k) {
        product += double{made.factors.b[static_cast<std::size_t>(i * rank + k)]} *
                   double{made.factors.a[static_cast<std::size_t>(k * kIn + j)]};
      }
      const auto at = static_cast<std::size_t>(i * kIn + j);
      const double left = double{weight[at]} - double{q[at]} - product;
      sum += left * left;
    }
  }
  return sum;
}

TEST(Loftq, IsOffByLessWithEveryRoundAndThanRoundingAlone) {
  const std::vector<float> weight = random_weight();
  for (const StoredType type : {StoredType::kNf4, StoredType::kNf4Double, group_dtype(2, 64)}) {
    double before = round_nearest(type, weight, kOut, kIn, {}).error;
    for (std::int64_t rounds = 1; rounds <= 5; ++rounds) {
      const LoftqWeight made = round_loftq(type, weight, kOut, kIn, {.rank = 8, .rounds = rounds});
      EXPECT_NEAR(made.rounded.error, off(weight, type, made, 8), 1e-4 * made.rounded.error);
      EXPECT_LE(made.rounded.error, before) << info_of(type).name << " " << rounds;
      EXPECT_LE(made.rounds, rounds);
      before = made.rounded.error;
    }
  }
}

TEST(Loftq, SecondRoundsAreWorthIt) {
  const std::vector<float> weight = random_weight();
  const StoredType type = group_dtype(2, 64);
  const double once = round_loftq(type, weight, kOut, kIn, {.rank = 16, .rounds = 1}).rounded.error;
  const double often =
      round_loftq(type, weight, kOut, kIn, {.rank = 16, .rounds = 5}).rounded.error;
  EXPECT_LT(often, once);
}

TEST(Loftq, AtFullRankNothingIsLost) {
  const std::vector<float> weight = random_weight();
  const LoftqWeight made =
      round_loftq(StoredType::kNf4, weight, kOut, kIn, {.rank = kOut, .rounds = 1});
  EXPECT_LT(made.rounded.error, 1e-6 * made.rounded.energy);
}

}  // namespace
}  // namespace lathe
