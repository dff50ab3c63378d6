// The dynamic maps against their rule in double, and nearest codes against a search through all.
#include "engine/quant/dynamic_map.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>
#include <limits>
#include <vector>

#include "engine/base/rng.h"

namespace lathe {
namespace {

constexpr DynamicMap kMaps[]{DynamicMap::kSigned, DynamicMap::kUnsigned};

std::vector<double> levels_by_rule(DynamicMap map) {
  std::vector<double> levels{0.0, 1.0};
  for (int decade = 0; decade < 7; ++decade) {
    const int parts = first_levels(map) << decade;
    for (int part = 0; part < parts; ++part) {
      const double level = std::pow(10.0, decade - 6) * (0.1 + 0.9 * (part + 0.5) / parts);
      levels.push_back(level);
      if (map == DynamicMap::kSigned) {
        levels.push_back(-level);
      }
    }
  }
  std::sort(levels.begin(), levels.end());
  return levels;
}

TEST(DynamicMap, HasTheKnownLevels) {
  for (const DynamicMap map : kMaps) {
    const std::vector<double> want = levels_by_rule(map);
    ASSERT_EQ(want.size(), 256u);
    for (int code = 0; code < kDynamicCodes; ++code) {
      const double level = want[static_cast<std::size_t>(code)];
      EXPECT_NEAR(dynamic_values(map)[code], level, 1e-7 * std::fabs(level)) << code;
    }
  }
  EXPECT_EQ(zero_code(DynamicMap::kSigned), 127);
  EXPECT_EQ(kSignedValues[127], 0.0f);
  EXPECT_NEAR(kSignedValues[0], -0.99297, 1e-5);
  EXPECT_EQ(kSignedValues[128], 5.5e-7f);
  EXPECT_EQ(kSignedValues[255], 1.0f);
  EXPECT_EQ(kUnsignedValues[0], 0.0f);
  EXPECT_EQ(kUnsignedValues[1], 3.25e-7f);
  EXPECT_NEAR(kUnsignedValues[254], 0.99648, 1e-5);
  EXPECT_EQ(kUnsignedValues[255], 1.0f);
}

// Of two equally near the one nearer to 0.
int nearest_of_all(DynamicMap map, double x) {
  const float* const values = dynamic_values(map);
  int best = zero_code(map);
  for (int code = 0; code < kDynamicCodes; ++code) {
    const double distance = std::fabs(double(values[code]) - x);
    const double least = std::fabs(double(values[best]) - x);
    if (distance < least ||
        (distance == least && std::fabs(values[code]) < std::fabs(values[best]))) {
      best = code;
    }
  }
  return best;
}

TEST(DynamicMap, TheNearestCodeIsThatOfASearch) {
  for (const DynamicMap map : kMaps) {
    const float* const values = dynamic_values(map);
    Rng rng(3, 3);
    for (int i = 0; i < 20000; ++i) {
      double x = std::pow(10.0, -8.0 * rng.next_unit());
      x = map == DynamicMap::kSigned && i % 2 == 0 ? -x : x;
      EXPECT_EQ(nearest_code(map, values, x), nearest_of_all(map, x)) << x;
      EXPECT_EQ(nearest_code(map, values, static_cast<float>(x)), nearest_of_all(map, x)) << x;
    }
    for (int code = 0; code < kDynamicCodes; ++code) {
      EXPECT_EQ(nearest_code(map, values, values[code]), code);
    }
  }
}

TEST(DynamicMap, HalfWayIsNearerToZero) {
  for (const DynamicMap map : kMaps) {
    const float* const values = dynamic_values(map);
    for (int code = zero_code(map); code < kDynamicCodes - 1; ++code) {
      const float border = 0.5f * (values[code] + values[code + 1]);
      EXPECT_EQ(nearest_code(map, values, border), code);
      EXPECT_EQ(nearest_code(map, values, std::nextafter(border, 2.0f)), code + 1);
      if (map == DynamicMap::kSigned && code < 254) {
        EXPECT_EQ(nearest_code(map, values, -border), 254 - code);
        EXPECT_EQ(nearest_code(map, values, -std::nextafter(border, 2.0f)), 253 - code);
      }
    }
  }
}

TEST(DynamicMap, TakesWhatLiesBeyondIt) {
  constexpr float kInfinity = std::numeric_limits<float>::infinity();
  for (const DynamicMap map : kMaps) {
    const float* const values = dynamic_values(map);
    EXPECT_EQ(nearest_code(map, values, kInfinity), 255);
    EXPECT_EQ(nearest_code(map, values, 0.0f), zero_code(map));
    const int some = nearest_code(map, values, std::nanf(""));
    EXPECT_TRUE(some >= 0 && some < kDynamicCodes);
  }
  EXPECT_EQ(nearest_code(DynamicMap::kSigned, dynamic_values(DynamicMap::kSigned), -kInfinity), 0);
}

TEST(DynamicMap, OfItsSignOnlyZeroIsZero) {
  const float* const values = dynamic_values(DynamicMap::kSigned);
  const auto code = [&](float x) { return nearest_code_of_sign(DynamicMap::kSigned, values, x); };
  EXPECT_EQ(nearest_code(DynamicMap::kSigned, values, 1e-7f), 127);
  EXPECT_EQ(code(1e-7f), 128);
  EXPECT_EQ(code(-1e-7f), 126);
  EXPECT_EQ(code(0.0f), 127);
  EXPECT_EQ(code(-0.0f), 127);
  EXPECT_EQ(code(0.5f), nearest_code(DynamicMap::kSigned, values, 0.5f));
  const float* const sizes = dynamic_values(DynamicMap::kUnsigned);
  EXPECT_EQ(nearest_code_of_sign(DynamicMap::kUnsigned, sizes, 1e-30f), 1);
  EXPECT_EQ(nearest_code_of_sign(DynamicMap::kUnsigned, sizes, 0.0f), 0);
}

}  // namespace
}  // namespace lathe
