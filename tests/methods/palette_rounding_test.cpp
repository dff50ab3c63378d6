// Palettes of trained weights: as many values as asked for, the nearest of them, and what is
// refused (checks A3, A4 and A10 of the reference).
#include "engine/methods/quant/palette_rounding.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <cmath>
#include <set>
#include <vector>

#include "engine/base/rng.h"
#include "engine/quant/half.h"
#include "engine/quant/palette_matrix.h"
#include "engine/quant/stored_matrix.h"

namespace lathe {
namespace {

using ::testing::HasSubstr;

constexpr std::int64_t kOut = 12;
constexpr std::int64_t kIn = 192;

std::vector<float> normal_values() {
  Rng rng(19, 0);
  std::vector<float> values;
  for (std::int64_t i = 0; i < kOut * kIn; ++i) {
    double sum = -6;
    for (int j = 0; j < 12; ++j) {
      sum += rng.next_unit();
    }
    // Rows of other sizes, as models have them.
    values.push_back(static_cast<float>(0.02 * sum * static_cast<double>(1 + i / kIn % 4)));
  }
  return values;
}

Result<RoundedWeight> rounded(const std::vector<float>& weight, int bits, int dim,
                              const PaletteOptions& options = {},
                              std::span<const float> importances = {}) {
  return round_palette(palette_dtype(bits, dim), weight, kOut, kIn, importances, options);
}

std::vector<float> read(const RoundedWeight& matrix, int bits, int dim) {
  std::vector<float> values(std::size_t(kOut * kIn));
  decode_matrix(stored_matrix(palette_dtype(bits, dim), matrix.stored.data(), kOut, kIn),
                values.data());
  return values;
}

std::string refusal(const Result<RoundedWeight>& result) {
  return result.ok() ? "" : result.error().text();
}

TEST(PaletteRounding, EveryWidthHasNoMoreValuesThanItsBits) {
  const std::vector<float> weight = normal_values();
  double before = 1;
  for (int bits = 1; bits <= 8; ++bits) {
    const auto matrix = rounded(weight, bits, 1);
    ASSERT_TRUE(matrix.ok()) << matrix.error().text();
    const std::vector<float> values = read(*matrix, bits, 1);
    EXPECT_EQ(std::set<float>(values.begin(), values.end()).size(), std::size_t{1} << bits);
    const double lost = matrix->error / matrix->energy;
    EXPECT_LT(lost, 0.5 * before) << bits;
    before = lost;
    EXPECT_EQ(matrix_error(palette_dtype(bits, 1), kOut, kIn, matrix->stored), "");
  }
}

TEST(PaletteRounding, AMatrixOfFewValuesIsKept) {
  Rng rng(5, 0);
  const std::vector<float> levels{-0.5f, -0.125f, 0.0f, 0.25f, 0.75f, 1.5f, 2.0f, 3.0f};
  std::vector<float> weight;
  for (std::int64_t i = 0; i < kOut * kIn; ++i) {
    weight.push_back(levels[rng.next_below(8)]);
  }
  const auto matrix = rounded(weight, 3, 1);
  ASSERT_TRUE(matrix.ok());
  EXPECT_EQ(matrix->error, 0);
  EXPECT_EQ(read(*matrix, 3, 1), weight);
}

TEST(PaletteRounding, SmallerPalettesAndScalesLoseLess) {
  const std::vector<float> weight = normal_values();
  const auto lost = [&](const PaletteOptions& options) {
    const auto matrix = rounded(weight, 3, 1, options);
    EXPECT_TRUE(matrix.ok()) << refusal(matrix);
    return matrix.ok() ? matrix->error : 0;
  };
  const double one = lost({});
  EXPECT_LT(lost({.rows_per_palette = 4}), one);
  EXPECT_LT(lost({.rows_per_palette = 1}), lost({.rows_per_palette = 4}));
  EXPECT_LT(lost({.row_scales = true}), 0.8 * one) << "rows of several sizes";
  EXPECT_GT(lost({.clusters = 6}), one);
}

TEST(PaletteRounding, ScalesAreHalfOfARowsRange) {
  const std::vector<float> weight = normal_values();
  const auto matrix = rounded(weight, 4, 1, {.rows_per_palette = 6, .row_scales = true});
  ASSERT_TRUE(matrix.ok());
  const PaletteParts parts = palette_parts(palette_dtype(4, 1), kOut, kIn, matrix->stored);
  ASSERT_EQ(parts.row_scales.size(), std::size_t(kOut));
  EXPECT_EQ(parts.rows_per_palette, 6);
  for (std::int64_t row = 0; row < kOut; ++row) {
    const auto [least, most] =
        std::minmax_element(weight.begin() + row * kIn, weight.begin() + (row + 1) * kIn);
    EXPECT_FLOAT_EQ(parts.row_scales[std::size_t(row)], (*most - *least) / 2);
  }
}

TEST(PaletteRounding, ScaledRowsHaveTheLeastErrorOfTheWeights) {
  // Not of the divided ones, which a palette of them alone would have.
  const std::vector<float> weight = normal_values();
  const auto scaled = rounded(weight, 2, 1, {.row_scales = true});
  ASSERT_TRUE(scaled.ok());
  const std::vector<float> scales =
      palette_parts(palette_dtype(2, 1), kOut, kIn, scaled->stored).row_scales;
  std::vector<float> divided = weight;
  for (std::size_t i = 0; i < divided.size(); ++i) {
    divided[i] /= scales[i / std::size_t(kIn)];
  }
  const std::vector<float> values = read(*rounded(divided, 2, 1), 2, 1);
  double error = 0;
  for (std::size_t i = 0; i < weight.size(); ++i) {
    error +=
        std::pow(double{weight[i]} - double{values[i]} * double{scales[i / std::size_t(kIn)]}, 2);
  }
  EXPECT_LT(scaled->error, 0.9999 * error);
}

TEST(PaletteRounding, EachWeightTakesTheNearestValue) {
  const std::vector<float> weight = normal_values();
  for (int dim = 1; dim <= 4; ++dim) {
    const auto matrix = rounded(weight, 4, dim, {.clusters = 13, .rows_per_palette = 3});
    ASSERT_TRUE(matrix.ok()) << refusal(matrix);
    const PaletteParts parts = palette_parts(palette_dtype(4, dim), kOut, kIn, matrix->stored);
    const std::vector<float> values = read(*matrix, 4, dim);
    for (std::size_t at = 0; at < weight.size(); at += std::size_t(dim)) {
      const std::size_t palette = at / std::size_t(kIn) / 3;
      const auto off = [&](const float* to) {
        double sum = 0;
        for (std::size_t d = 0; d < std::size_t(dim); ++d) {
          sum += std::pow(double{weight[at + d]} - double{to[d]}, 2);
        }
        return sum;
      };
      for (std::size_t code = 0; code < 13; ++code) {
        const float* entry = &parts.lut[(palette * 16 + code) * std::size_t(dim)];
        ASSERT_LE(off(&values[at]), off(entry) * (1 + 1e-5) + 1e-12) << dim;
      }
    }
  }
}

TEST(PaletteRounding, VectorsLoseLessThanSinglesOfAsManyBitsAWeight) {
  // Neighbours that are alike: what a pair is for.
  std::vector<float> weight = normal_values();
  for (std::size_t i = 0; i + 1 < weight.size(); i += 2) {
    weight[i + 1] = 0.9f * weight[i] + 0.1f * weight[i + 1];
  }
  const auto singles = rounded(weight, 2, 1), pairs = rounded(weight, 4, 2);
  ASSERT_TRUE(singles.ok() && pairs.ok());
  EXPECT_LT(pairs->error, 0.5 * singles->error);
}

TEST(PaletteRounding, ImportancesMoveTheValues) {
  const std::vector<float> weight = normal_values();
  std::vector<float> importances(weight.size());
  for (std::size_t i = 0; i < weight.size(); ++i) {
    importances[i] = weight[i] > 0.02f ? 100.0f : 1.0f;
  }
  const auto weighed_error = [&](const RoundedWeight& matrix) {
    const std::vector<float> values = read(matrix, 3, 1);
    double sum = 0;
    for (std::size_t i = 0; i < weight.size(); ++i) {
      sum += double{importances[i]} * std::pow(double{weight[i]} - double{values[i]}, 2);
    }
    return sum;
  };
  const auto plain = rounded(weight, 3, 1), weighed = rounded(weight, 3, 1, {}, importances);
  ASSERT_TRUE(plain.ok() && weighed.ok());
  EXPECT_LT(weighed_error(*weighed), 0.5 * weighed_error(*plain));
  EXPECT_GT(weighed->error, plain->error);
}

TEST(PaletteRounding, RefusesWhatCannotBe) {
  std::vector<float> weight = normal_values();
  EXPECT_THAT(
      refusal(rounded(weight, 3, 1, {.rows_per_palette = 5})),
      HasSubstr("its 12 rows are not whole palettes of 5 rows (quant.palette_rows); choose"));
  EXPECT_THAT(refusal(rounded(weight, 3, 1, {.clusters = 9})),
              HasSubstr("quant.clusters=9 is more than the 8 that quant.bits=3 tells apart"));
  weight[500] = NAN;
  weight[501] = 1e6f;
  for (int dim = 1; dim <= 2; ++dim) {
    EXPECT_THAT(refusal(rounded(weight, 3, dim)), HasSubstr("2 of 2304 values are not finite"));
  }
  weight = normal_values();
  std::fill(weight.begin() + 2 * kIn, weight.begin() + 4 * kIn, 0.25f);
  EXPECT_THAT(refusal(rounded(weight, 1, 1, {.rows_per_palette = 2})),
              HasSubstr("has but one value, 0.250000, in rows 2 to 3, fewer than the 2 clusters"));
  EXPECT_THAT(refusal(rounded(weight, 1, 2, {.rows_per_palette = 2})),
              HasSubstr("has 1 different pairs of values in rows 2 to 3"));
  EXPECT_TRUE(rounded(weight, 1, 1, {.clusters = 1, .rows_per_palette = 2}).ok());
}

TEST(PaletteRounding, TheSameOnEachCall) {
  const std::vector<float> weight = normal_values();
  const PaletteOptions options{.rows_per_palette = 2, .row_scales = true};
  EXPECT_EQ(rounded(weight, 5, 3, options)->stored, rounded(weight, 5, 3, options)->stored);
}

}  // namespace
}  // namespace lathe
