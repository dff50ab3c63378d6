// Philox and what is drawn from it: known answers, and the distributions of random_fill on both
// host back ends, bit for bit the same.
#include <gtest/gtest.h>

#include <cmath>
#include <cstring>

#include "engine/backend/backend.h"
#include "engine/base/rng.h"

namespace lathe {
namespace {

constexpr std::int64_t kCount = 200001;

std::vector<float> drawn(const std::string& device, int threads, const RandomFillArgs& how) {
  const auto backend = std::move(make_backend(device, threads)).value();
  const Tensor out(backend->allocator(), DType::kF32, Shape{kCount}, {});
  RandomFillArgs args = how;
  args.out = out;
  ops::random_fill(*backend, args);
  std::vector<float> values(kCount);
  backend->read(out, values.data(), kCount * 4);
  return values;
}

struct Moments {
  double mean = 0, deviation = 0, lowest = 0, highest = 0;
};

Moments moments(const std::vector<float>& values) {
  Moments m;
  m.lowest = m.highest = double(values[0]);
  for (const float value : values) {
    m.mean += double(value) / double(values.size());
    m.lowest = std::min(m.lowest, double(value));
    m.highest = std::max(m.highest, double(value));
  }
  for (const float value : values) {
    m.deviation += std::pow(double(value) - m.mean, 2) / double(values.size());
  }
  m.deviation = std::sqrt(m.deviation);
  return m;
}

// The known answers of Random123 for philox4x32-10.
TEST(Philox, GivesTheKnownAnswers) {
  using Words = std::array<std::uint32_t, 4>;
  EXPECT_EQ(philox(0, 0, 0), (Words{0x6627e8d5, 0xe169c58d, 0xbc57ac4c, 0x9b00dbd8}));
  EXPECT_EQ(philox(UINT64_MAX, UINT64_MAX, UINT64_MAX),
            (Words{0x408f276d, 0x41c83b0e, 0xa20bc7c6, 0x6d5451fd}));
}

TEST(Philox, StreamsAndSeedsDiffer) {
  EXPECT_NE(philox(1, 0, 0), philox(2, 0, 0));
  EXPECT_NE(philox(1, 0, 0), philox(1, 1, 0));
  Rng first(5, 9);
  Rng second(5, 9);
  for (int i = 0; i < 100; ++i) {
    EXPECT_EQ(first.next_u64(), second.next_u64());
    const double unit = first.next_unit();
    EXPECT_EQ(unit, second.next_unit());
    EXPECT_TRUE(unit >= 0.0 && unit < 1.0);
  }
}

TEST(RandomFill, HasTheDistributionsAskedFor) {
  const RandomFillArgs normal{.out = {}, .seed = 1, .stream = 2, .mean = 0.5f, .stddev = 0.02f};
  const Moments plain = moments(drawn("cpu", 2, normal));
  EXPECT_NEAR(plain.mean, 0.5, 4 * 0.02 / std::sqrt(double(kCount)));
  EXPECT_NEAR(plain.deviation / 0.02, 1.0, 0.01);
  EXPECT_GT(plain.highest, 0.5 + 3.5 * 0.02);
  RandomFillArgs truncated = normal;
  truncated.truncated = true;
  const Moments cut = moments(drawn("cpu", 2, truncated));
  EXPECT_NEAR(cut.mean, 0.5, 4 * 0.02 / std::sqrt(double(kCount)));
  EXPECT_NEAR(cut.deviation / 0.02, 0.9866, 0.01);
  EXPECT_LE(cut.highest, 0.5 + 3.0 * 0.02 + 1e-7);
  EXPECT_GE(cut.lowest, 0.5 - 3.0 * 0.02 - 1e-7);
  RandomFillArgs uniform = normal;
  uniform.uniform = true;
  const Moments flat = moments(drawn("cpu", 2, uniform));
  EXPECT_NEAR(flat.deviation / 0.02, 1.0 / std::sqrt(3.0), 0.01);
  EXPECT_LE(flat.highest, 0.52 + 1e-7);
  EXPECT_GE(flat.lowest, 0.48 - 1e-7);
}

TEST(RandomFill, IsTheSameOnEveryHostBackEnd) {
  for (const bool truncated : {false, true}) {
    const RandomFillArgs how{.out = {}, .seed = 8, .stream = 3, .truncated = truncated};
    const std::vector<float> reference = drawn("cpu_ref", 1, how);
    for (const int threads : {1, 2, 3}) {
      const std::vector<float> fast = drawn("cpu", threads, how);
      EXPECT_EQ(std::memcmp(reference.data(), fast.data(), fast.size() * 4), 0);
    }
  }
}

}  // namespace
}  // namespace lathe
