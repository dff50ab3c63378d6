// GPTQ against rounding to nearest, against a slow and plain version of itself, and where the two
// are one (checks B1 and B2 of the reference).
#include "engine/methods/quant/gptq.h"

#include <gtest/gtest.h>

#include <cmath>
#include <vector>

#include "engine/base/rng.h"
#include "engine/methods/lord/statistics.h"
#include "engine/quant/block_codec.h"

namespace lathe {
namespace {

constexpr std::int64_t kOut = 37;  // more than a tile, and not whole ones
constexpr std::int64_t kIn = 128;

std::vector<float> random_values(std::int64_t count, std::uint64_t stream) {
  Rng rng(11, stream);
  std::vector<float> values;
  for (std::int64_t i = 0; i < count; ++i) {
    values.push_back(static_cast<float>(rng.next_unit() + rng.next_unit() + rng.next_unit() - 1.5));
  }
  return values;
}

Matrix identity(std::int64_t n) {
  Matrix one(static_cast<std::size_t>(n * n));
  for (std::int64_t i = 0; i < n; ++i) {
    one[static_cast<std::size_t>(i * n + i)] = 1;
  }
  return one;
}

// Inputs of which neighbours are alike and some are large.
Matrix moment_of(std::int64_t rows) {
  std::vector<float> x = random_values(rows * kIn, 3);
  for (std::int64_t row = 0; row < rows; ++row) {
    for (std::int64_t i = 1; i < kIn; ++i) {
      x[static_cast<std::size_t>(row * kIn + i)] +=
          0.9f * x[static_cast<std::size_t>(row * kIn + i - 1)];
    }
    x[static_cast<std::size_t>(row * kIn + 17)] *= 10;
  }
  InputStatistics statistics(kIn);
  EXPECT_TRUE(statistics.add(x).ok());
  return statistics.second_moment();
}

// Algorithm 1 of the paper without blocks, tiles or a factor: the inverse of what is left of the
// moment is updated after every column, in double.
std::vector<std::byte> plain_gptq(StoredType type, const std::vector<float>& weight, Matrix moment,
                                  double damp) {
  const auto n = static_cast<std::size_t>(kIn);
  double trace = 0;
  for (std::size_t i = 0; i < n; ++i) {
    trace += moment[i * n + i];
  }
  for (std::size_t i = 0; i < n; ++i) {
    moment[i * n + i] += damp * trace / static_cast<double>(n);
  }
  Matrix inverse = identity(kIn);
  EXPECT_TRUE(divide_rows(inverse, kIn, moment, kIn));
  std::vector<double> w(weight.begin(), weight.end());
  const auto block = static_cast<std::size_t>(info_of(type).block_elements);
  std::vector<std::uint8_t> codes(w.size());
  std::vector<BlockGrid> grids(w.size() / block);
  for (std::size_t j = 0; j < n; ++j) {
    for (std::size_t row = 0; row < static_cast<std::size_t>(kOut); ++row) {
      BlockGrid& grid = grids[(row * n + j) / block];
      if (j % block == 0) {
        const std::vector<float> values(
            w.begin() + static_cast<std::ptrdiff_t>(row * n + j),
            w.begin() + static_cast<std::ptrdiff_t>(row * n + j + block));
        grid = grid_of(type, values);
      }
      const std::uint8_t code = nearest_code(type, grid, static_cast<float>(w[row * n + j]));
      codes[row * n + j] = code;
      const double error = (w[row * n + j] - value_of(type, grid, code)) / inverse[j * n + j];
      for (std::size_t k = j; k < n; ++k) {
        w[row * n + k] -= error * inverse[j * n + k];
      }
    }
    const double pivot = inverse[j * n + j];
    const std::vector<double> gone(inverse.begin() + static_cast<std::ptrdiff_t>(j * n),
                                   inverse.begin() + static_cast<std::ptrdiff_t>(j * n + n));
    for (std::size_t a = 0; a < n; ++a) {
      for (std::size_t b = 0; b < n; ++b) {
        inverse[a * n + b] -= gone[a] * gone[b] / pivot;
      }
    }
  }
  std::vector<std::byte> stored(static_cast<std::size_t>(stored_bytes(type, kOut * kIn)));
  for (std::size_t i = 0; i < grids.size(); ++i) {
    put_block(type, grids[i], std::span(codes).subspan(i * block, block),
              stored.data() + i * static_cast<std::size_t>(info_of(type).block_bytes));
  }
  return stored;
}

TEST(Gptq, IsRoundingToNearestOnWhiteInputs) {
  const std::vector<float> weight = random_values(kOut * kIn, 1);
  for (const StoredType type : {group_dtype(3, 32), group_dtype(8, 128), StoredType::kNf4}) {
    for (const bool by_activity : {false, true}) {
      const auto rounded = round_gptq(type, weight, kOut, kIn, identity(kIn),
                                      {.damp = 0, .by_activity = by_activity});
      ASSERT_TRUE(rounded.ok()) << rounded.error().message;
      EXPECT_EQ(rounded->stored, round_nearest(type, weight, kOut, kIn, {}).stored);
    }
  }
}

TEST(Gptq, DoesWhatThePlainAlgorithmDoes) {
  const std::vector<float> weight = random_values(kOut * kIn, 1);
  const Matrix moment = moment_of(512);
  const StoredType type = group_dtype(4, 32);
  const auto rounded = round_gptq(type, weight, kOut, kIn, moment, {.damp = 0.01});
  ASSERT_TRUE(rounded.ok());
  const std::vector<std::byte> plain = plain_gptq(type, weight, moment, 0.01);
  std::vector<float> ours(weight.size());
  std::vector<float> theirs(weight.size());
  decode_row(type, rounded->stored.data(), ours.data(), kOut * kIn);
  decode_row(type, plain.data(), theirs.data(), kOut * kIn);
  std::size_t different = 0;  // f32 against double: a value half way between two levels
  for (std::size_t i = 0; i < ours.size(); ++i) {
    different += std::abs(ours[i] - theirs[i]) > 1e-3f ? 1 : 0;
  }
  EXPECT_LT(different, ours.size() / 200);
}

TEST(Gptq, LosesLessThanNearestAtEveryWidth) {
  const std::vector<float> weight = random_values(kOut * kIn, 1);
  const Matrix moment = moment_of(512);
  for (int bits = 2; bits <= 8; ++bits) {
    const StoredType type = group_dtype(bits, 64);
    const RoundedWeight nearest = round_nearest(type, weight, kOut, kIn, moment);
    const auto in_order = round_gptq(type, weight, kOut, kIn, moment, {});
    const auto by_activity = round_gptq(type, weight, kOut, kIn, moment, {.by_activity = true});
    ASSERT_TRUE(in_order.ok() && by_activity.ok());
    EXPECT_LT(in_order->error, 0.8 * nearest.error) << bits;
    EXPECT_LT(by_activity->error, 0.8 * nearest.error) << bits;
    EXPECT_NEAR(in_order->energy, nearest.energy, 1e-9 * nearest.energy);
  }
}

TEST(Gptq, TellsTheErrorOfWhatItStored) {
  const std::vector<float> weight = random_values(kOut * kIn, 1);
  const Matrix moment = moment_of(300);
  const auto rounded = round_gptq(StoredType::kNf4, weight, kOut, kIn, moment, {});
  ASSERT_TRUE(rounded.ok());
  std::vector<float> read(weight.size());
  decode_row(StoredType::kNf4, rounded->stored.data(), read.data(), kOut * kIn);
  double error = 0;
  for (std::int64_t row = 0; row < kOut; ++row) {
    for (std::int64_t i = 0; i < kIn; ++i) {
      for (std::int64_t j = 0; j < kIn; ++j) {
        const auto a = static_cast<std::size_t>(row * kIn + i);
        const auto b = static_cast<std::size_t>(row * kIn + j);
        error += (double{weight[a]} - read[a]) * moment[static_cast<std::size_t>(i * kIn + j)] *
                 (double{weight[b]} - read[b]);
      }
    }
  }
  EXPECT_NEAR(rounded->error, error, 1e-9 * error);
}

TEST(Gptq, DeadAndFewInputsAreHandled) {
  const std::vector<float> weight = random_values(kOut * kIn, 1);
  Matrix moment = moment_of(16);  // fewer rows than inputs: no inverse but for the damping
  for (std::int64_t i = 0; i < kIn; ++i) {
    moment[static_cast<std::size_t>(5 * kIn + i)] = moment[static_cast<std::size_t>(i * kIn + 5)] =
        0;
  }
  const auto rounded = round_gptq(group_dtype(4, 64), weight, kOut, kIn, moment, {.damp = 0});
  ASSERT_TRUE(rounded.ok()) << rounded.error().message;
  EXPECT_TRUE(std::isfinite(rounded->error));
  moment[3] = std::nan("");
  EXPECT_EQ(round_gptq(group_dtype(4, 64), weight, kOut, kIn, moment, {}).error().kind,
            ErrorKind::kData);
}

}  // namespace
}  // namespace lathe
