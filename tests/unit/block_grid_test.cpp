// NF4 and groups of levels: the levels themselves, the bytes, and what rounding costs (checks C1,
// C2, B1 and 9 of the reference).
#include "engine/quant/block_grid.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>
#include <vector>

#include "engine/base/rng.h"
#include "engine/quant/block_codec.h"
#include "engine/quant/nf4.h"
#include "tests/support/stored_values.h"

namespace lathe {
namespace {

using test::round_trip;
using test::squared_error;

// The inverse of the normal distribution, by bisection.
double normal_quantile(double probability) {
  double low = -10;
  double high = 10;
  for (int i = 0; i < 200; ++i) {
    const double middle = (low + high) / 2;
    (std::erfc(-middle / std::sqrt(2.0)) / 2 < probability ? low : high) = middle;
  }
  return low;
}

std::vector<float> normal_values(std::int64_t count) {
  Rng rng(7, 1);
  std::vector<float> values;
  for (std::int64_t i = 0; i < count; ++i) {
    values.push_back(static_cast<float>(normal_quantile(1e-9 + 0.999999998 * rng.next_unit())));
  }
  return values;
}

std::vector<StoredType> group_types() {
  std::vector<StoredType> types;
  for (int i = static_cast<int>(DType::kGroups); i < static_cast<int>(DType::kInt8Row); ++i) {
    types.push_back(static_cast<StoredType>(i));
  }
  return types;
}

TEST(Nf4, LevelsAreTheQuantilesOfTheRule) {
  constexpr double kOutermost = 0.9677083;
  std::vector<double> levels{0};
  for (int i = 0; i < 8; ++i) {
    levels.push_back(normal_quantile(kOutermost + (0.5 - kOutermost) * i / 8));
  }
  for (int i = 0; i < 7; ++i) {
    levels.push_back(-normal_quantile(kOutermost + (0.5 - kOutermost) * i / 7));
  }
  std::sort(levels.begin(), levels.end());
  const double largest = levels.back();
  for (std::size_t i = 0; i < 16; ++i) {
    EXPECT_NEAR(kNf4Levels[i], levels[i] / largest, 1e-6) << i;
  }
}

TEST(Nf4, CodesOfLevelsMiddlesAndEnds) {
  EXPECT_EQ(nf4_code(0.0f), 7);
  EXPECT_EQ(nf4_code(-1.0f), 0);
  EXPECT_EQ(nf4_code(1.0f), 15);
  constexpr double kMiddles[] = {-0.8480964, -0.6106329, -0.4599953, -0.3396794, -0.2346074,
                                 -0.1379117, -0.0455250, 0.0397902,  0.1202553,  0.2035212,
                                 0.2920138,  0.3893125,  0.5016634,  0.6427869,  0.8614784};
  for (int i = 0; i < 15; ++i) {
    EXPECT_EQ(nf4_code(static_cast<float>(kMiddles[i] - 1e-6)), i);
    EXPECT_EQ(nf4_code(static_cast<float>(kMiddles[i] + 1e-6)), i + 1);
    EXPECT_EQ(nf4_code(kNf4Levels[static_cast<std::size_t>(i)]), i);
  }
}

TEST(Nf4, BytesHoldTheFirstCodeAboveTheSecond) {
  std::vector<float> values(64, 0.0f);
  values[0] = -2.0f;  // code 0, and the scale
  values[1] = 2.0f;
  values[2] = 1.4458f;  // level 14
  std::vector<std::byte> stored(36);
  encode_row(StoredType::kNf4, values.data(), stored.data(), 64);
  EXPECT_EQ(stored[4], std::byte{0x0f});
  EXPECT_EQ(stored[5], std::byte{0xe7});
  EXPECT_EQ(stored[6], std::byte{0x77});
  EXPECT_EQ(stored_bytes(StoredType::kNf4, 6'476'005'376) * 8, 6'476'005'376 / 2 * 9);  // 4.5 bits
}

// Fifteen even steps around 0 up to the same largest magnitude, to blocks of the same size.
std::vector<float> even_steps(std::vector<float> values) {
  for (std::size_t first = 0; first < values.size(); first += 64) {
    float largest = 0;
    for (std::size_t i = first; i < first + 64; ++i) {
      largest = std::max(largest, std::abs(values[i]));
    }
    for (std::size_t i = first; i < first + 64; ++i) {
      values[i] = std::nearbyint(values[i] / largest * 7) * largest / 7;
    }
  }
  return values;
}

TEST(Nf4, IsNearerToNormalWeightsThanEvenSteps) {
  const std::vector<float> values = normal_values(64 * 512);
  const double nf4 = squared_error(round_trip(StoredType::kNf4, values), values);
  EXPECT_LT(nf4, 0.9 * squared_error(even_steps(values), values));
}

TEST(BlockGrid, NamesAndSizesOfGroups) {
  const StoredType type = group_dtype(3, 64);
  EXPECT_EQ(info_of(type).name, "int3_g64");
  EXPECT_EQ(stored_type_of_name("int8_g128"), group_dtype(8, 128));
  EXPECT_EQ(stored_bytes(type, 64), 4 + 24);
  EXPECT_EQ(group_dtype(9, 64), DType::kF32);
  EXPECT_EQ(group_dtype(4, 16), DType::kF32);
  EXPECT_FALSE(stored_type_of_ggml(kNotOfGgml));
  EXPECT_EQ(group_types().size(), 21u);
  EXPECT_EQ(dtype_layout(DType::kF64).name, "f64");
}

// Values that lie on a grid come back, whatever the bits and however codes are packed.
TEST(BlockGrid, EveryCodeOfEveryGroupSurvives) {
  for (const StoredType type : group_types()) {
    const auto [bits, group] = group_form(type);
    Rng rng(5, static_cast<std::uint64_t>(type));
    const BlockGrid grid{0.5f, 3.0f};
    std::vector<std::uint8_t> codes;
    std::vector<float> want;
    for (int i = 0; i < group; ++i) {
      codes.push_back(static_cast<std::uint8_t>(rng.next_unit() * (1 << bits)));
      want.push_back((static_cast<float>(codes.back()) - static_cast<float>(1 << (bits - 1))) / 2 +
                     3);
      EXPECT_EQ(value_of(type, grid, codes.back()), want.back());
      EXPECT_EQ(nearest_code(type, grid, want.back() + 0.2f), codes.back());
    }
    std::vector<std::byte> stored(static_cast<std::size_t>(stored_bytes(type, group)));
    put_block(type, grid, codes, stored.data());
    std::vector<float> values(want.size());
    decode_row(type, stored.data(), values.data(), group);
    EXPECT_EQ(values, want) << info_of(type).name;
  }
}

// Half a step, and what the two 16-bit numbers of a group are rounded by.
TEST(BlockGrid, ErrorsAreHalfAStep) {
  const std::vector<float> values = normal_values(128 * 16);
  for (const StoredType type : group_types()) {
    const auto [bits, group] = group_form(type);
    const std::vector<float> back = round_trip(type, values);
    for (std::size_t first = 0; first < values.size(); first += static_cast<std::size_t>(group)) {
      const auto begin = values.begin() + static_cast<std::ptrdiff_t>(first);
      const auto [lowest, highest] = std::minmax_element(begin, begin + group);
      const float range = *highest - *lowest;
      const float step = range / static_cast<float>((1 << bits) - 1);
      for (std::size_t i = first; i < first + static_cast<std::size_t>(group); ++i) {
        EXPECT_LE(std::abs(values[i] - back[i]), 0.5f * step + range / 1024) << info_of(type).name;
      }
    }
  }
}

TEST(BlockGrid, MoreBitsAndSmallerGroupsLoseLess) {
  const std::vector<float> values = normal_values(128 * 64);
  const auto error = [&](int bits, int group) {
    return squared_error(round_trip(group_dtype(bits, group), values), values);
  };
  for (int bits = 2; bits < 8; ++bits) {
    EXPECT_LT(error(bits + 1, 64), error(bits, 64)) << bits;
    EXPECT_LT(error(bits, 32), error(bits, 128)) << bits;
  }
}

TEST(BlockGrid, ConstantBlocksAndZerosAreExact) {
  for (const StoredType type : {StoredType::kNf4, group_dtype(2, 64), group_dtype(8, 64)}) {
    const std::vector<float> zeros(64, 0.0f);
    EXPECT_EQ(round_trip(type, zeros), zeros);
    const std::vector<float> same(64, 0.75f);
    EXPECT_EQ(round_trip(type, same), same);
  }
}

}  // namespace
}  // namespace lathe
