// The sampler's distribution, its cuts, and what it refuses.
#include "engine/lm/sampler.h"

#include <gtest/gtest.h>

#include <cmath>
#include <limits>
#include <map>

namespace lathe {
namespace {

constexpr int kDraws = 20000;
const std::vector<float> kLogits{0.3f, -1.0f, 2.0f, 1.1f, -4.0f, 2.0f};

std::map<std::int32_t, double> shares(const SamplingConfig& config) {
  Sampler sampler(config);
  std::map<std::int32_t, double> counts;
  for (int i = 0; i < kDraws; ++i) {
    counts[sampler.draw(kLogits).value()] += 1.0 / kDraws;
  }
  return counts;
}

// The chances of `allowed` among themselves.
void expect_chances(const std::map<std::int32_t, double>& got,
                    const std::vector<std::int32_t>& allowed, double temperature) {
  double total = 0;
  for (const std::int32_t id : allowed) {
    total += std::exp(double(kLogits[static_cast<std::size_t>(id)]) / temperature);
  }
  EXPECT_LE(got.size(), allowed.size());
  for (const std::int32_t id : allowed) {
    const double p = std::exp(double(kLogits[static_cast<std::size_t>(id)]) / temperature) / total;
    const double share = got.contains(id) ? got.at(id) : 0.0;
    // Four standard deviations.
    EXPECT_NEAR(share, p, 4.0 * std::sqrt(p * (1 - p) / kDraws) + 1e-9) << id;
  }
}

TEST(Sampler, ZeroTemperatureTakesTheFirstOfTheMostLikely) {
  Sampler sampler({});
  EXPECT_EQ(sampler.draw(kLogits), 2);
}

TEST(Sampler, DrawsByTheSoftmax) {
  expect_chances(shares({.temperature = 1.0}), {0, 1, 2, 3, 4, 5}, 1.0);
  expect_chances(shares({.temperature = 0.5}), {0, 1, 2, 3, 4, 5}, 0.5);
}

TEST(Sampler, TopKKeepsTheMostLikely) {
  expect_chances(shares({.temperature = 1.0, .top_k = 3}), {2, 5, 3}, 1.0);
  expect_chances(shares({.temperature = 1.0, .top_k = 1}), {2}, 1.0);
  expect_chances(shares({.temperature = 1.0, .top_k = 100}), {0, 1, 2, 3, 4, 5}, 1.0);
}

// Chances are 0.374 (twice), 0.152, 0.068, 0.019, 0.001.
TEST(Sampler, TopPKeepsTheFewestThatReachP) {
  expect_chances(shares({.temperature = 1.0, .top_p = 0.3}), {2}, 1.0);
  expect_chances(shares({.temperature = 1.0, .top_p = 0.7}), {2, 5}, 1.0);
  expect_chances(shares({.temperature = 1.0, .top_p = 0.8}), {2, 5, 3}, 1.0);
  expect_chances(shares({.temperature = 1.0, .top_p = 0.99}), {2, 5, 3, 0, 1}, 1.0);
  // Of what top-k has left, chances among themselves.
  expect_chances(shares({.temperature = 1.0, .top_k = 2, .top_p = 0.5}), {2}, 1.0);
}

TEST(Sampler, TheSeedAloneDecides) {
  Sampler a({.temperature = 1.0, .seed = 7});
  Sampler b({.temperature = 1.0, .seed = 7});
  Sampler c({.temperature = 1.0, .seed = 8});
  int differs = 0;
  for (int i = 0; i < 100; ++i) {
    const auto drawn = a.draw(kLogits);
    EXPECT_EQ(drawn, b.draw(kLogits));
    differs += drawn != c.draw(kLogits);
  }
  EXPECT_GT(differs, 20);
}

TEST(Sampler, RefusesWhatIsNotFinite) {
  Sampler sampler({.temperature = 1.0});
  EXPECT_FALSE(sampler.draw(std::vector<float>{0.0f, std::nanf("")}));
  EXPECT_FALSE(sampler.draw(std::vector<float>{std::numeric_limits<float>::infinity(), 0.0f}));
  EXPECT_FALSE(Sampler({}).draw(std::vector<float>{std::nanf(""), 1.0f}));
}

TEST(Sampler, NamesUnusableNumbers) {
  EXPECT_EQ(sampling_error({}), "");
  EXPECT_NE(sampling_error({.temperature = -1.0}).find("temperature=-1"), std::string::npos);
  EXPECT_NE(sampling_error({.temperature = std::nan("")}), "");
  EXPECT_NE(sampling_error({.top_k = -2}).find("top_k=-2"), std::string::npos);
  EXPECT_NE(sampling_error({.top_p = 0.0}), "");
  EXPECT_NE(sampling_error({.top_p = 1.5}), "");
}

}  // namespace
}  // namespace lathe
