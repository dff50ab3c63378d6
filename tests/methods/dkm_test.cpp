// DKM in one matrix: the limits of soft k-means, gradients through its iterations against the
// complex step of the plain algorithm, and what a palette refuses.
#include "engine/methods/dkm/dkm.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>
#include <complex>
#include <limits>
#include <set>

#include "engine/nn/linear.h"
#include "engine/quant/half.h"
#include "tests/methods/dkm_matrix.h"

namespace lathe {
namespace {

using Complex = std::complex<double>;
using test::drawn;
using test::kShape;
using test::Matrix;
using test::Values;
using ::testing::HasSubstr;

// Soft k-means of points, the whole map in memory, over numbers whose imaginary parts are
// derivatives.
std::vector<Complex> soft_points(const std::vector<Complex>& points, std::vector<Complex> c,
                                 const PalettePlan& plan, double tau) {
  const auto dim = static_cast<std::size_t>(plan.dim);
  const std::size_t count = points.size() / dim;
  const std::size_t clusters = c.size() / dim;
  std::vector<Complex> a(count * clusters);
  for (std::int64_t t = 0; t < plan.iterations; ++t) {
    for (std::size_t i = 0; i < count; ++i) {
      Complex total = 0;
      for (std::size_t j = 0; j < clusters; ++j) {
        Complex square = 0;
        for (std::size_t e = 0; e < dim; ++e) {
          const Complex off = points[i * dim + e] - c[j * dim + e];
          square += off * off;
        }
        a[i * clusters + j] = std::exp(-square / tau);
        total += a[i * clusters + j];
      }
      for (std::size_t j = 0; j < clusters; ++j) {
        a[i * clusters + j] /= total;
      }
    }
    std::vector<Complex> sums(c.size()), mass(clusters);
    for (std::size_t i = 0; i < count; ++i) {
      for (std::size_t j = 0; j < clusters; ++j) {
        mass[j] += a[i * clusters + j];
        for (std::size_t e = 0; e < dim; ++e) {
          sums[j * dim + e] += a[i * clusters + j] * points[i * dim + e];
        }
      }
    }
    for (std::size_t i = 0; i < sums.size(); ++i) {
      c[i] = sums[i] / mass[i / dim];
    }
  }
  std::vector<Complex> out(points.size());
  for (std::size_t i = 0; i < points.size(); ++i) {
    for (std::size_t j = 0; j < clusters; ++j) {
      out[i] += a[i / dim * clusters + j] * c[j * dim + i % dim];
    }
  }
  return out;
}

// The same of a matrix by its groups of rows and scales; `moved`: the weight with a step in its
// imaginary part.
std::vector<Complex> soft_matrix(const Values& weights, const Values& centroids, const Values& tau,
                                 const Values& scales, const PalettePlan& plan,
                                 std::optional<std::size_t> moved, double step) {
  std::vector<Complex> out;
  const std::size_t groups = tau.size();
  const std::size_t size = weights.size() / groups;
  const std::size_t width = centroids.size() / groups;
  const auto cols = static_cast<std::size_t>(kShape[1]);
  const auto scale = [&](std::size_t i) { return scales.empty() ? 1.0 : double(scales[i / cols]); };
  for (std::size_t g = 0; g < groups; ++g) {
    std::vector<Complex> points;
    for (std::size_t i = g * size; i < (g + 1) * size; ++i) {
      double x = double(weights[i]);
      if (!scales.empty()) {  // as the table has it, rounded to f16
        x = double(float_of_half(half_of_float(weights[i] / scales[i / cols])));
      }
      points.emplace_back(x, moved == i ? step / scale(i) : 0.0);
    }
    const auto first = centroids.begin() + static_cast<std::ptrdiff_t>(g * width);
    const std::vector<Complex> c(first, first + static_cast<std::ptrdiff_t>(width));
    const std::vector<Complex> made = soft_points(points, c, plan, tau[g]);
    for (std::size_t i = 0; i < made.size(); ++i) {
      out.push_back(scale(g * size + i) * made[i]);
    }
  }
  return out;
}

struct Kind {
  const char* name;
  PalettePlan plan;
  DType dtype = DType::kF32;
};

std::vector<Kind> kinds() {
  return {{"one", {.clusters = 4, .temperature = 0.3}},
          {"bf16", {.clusters = 4, .iterations = 2, .temperature = 0.3}, DType::kBf16},
          {"bf16_codes", {.clusters = 5, .temperature = 0.3, .codes = DType::kBf16}},
          {"three_iterations", {.clusters = 8, .iterations = 3, .temperature = 0.5}},
          {"groups", {.clusters = 4, .rows = 2, .iterations = 2}},
          {"absolute", {.clusters = 4, .temperature = 0.05, .relative = false}},
          {"vectors", {.clusters = 6, .dim = 2, .iterations = 2}},
          {"vectors_bf16", {.clusters = 5, .dim = 4, .rows = 3}, DType::kBf16},
          {"scaled",
           {.clusters = 6, .iterations = 2, .temperature = 0.5, .scale = PaletteScale::kLargest}},
          {"range", {.clusters = 6, .rows = 1, .scale = PaletteScale::kRange}},
          {"normal", {.clusters = 8, .temperature = 0.5, .init = PaletteInit::kNormal}}};
}

class Kinds : public testing::TestWithParam<Kind> {
 protected:
  const PalettePlan& plan() const { return GetParam().plan; }
};

TEST_P(Kinds, SoftWeightsAreThoseOfTheWholeMap) {
  for (const char* device : {"cpu_ref", "cpu"}) {
    const Values weights = drawn(kShape.elements(), 1);
    Matrix matrix(plan(), weights, GetParam().dtype, kShape, device);
    matrix.begin();
    const auto want = soft_matrix(weights, matrix.state(".centroids"), matrix.state(".tau"),
                                  matrix.state(".scales"), plan(), {}, 0.0);
    const Values got = matrix.read(true);
    for (std::size_t i = 0; i < got.size(); ++i) {
      EXPECT_NEAR(got[i], want[i].real(), 1e-6) << device << " " << i;
    }
  }
}

TEST_P(Kinds, GradientsAreThoseOfTheWholeMap) {
  constexpr double kStep = 1e-30;
  const Values weights = drawn(kShape.elements(), 1);
  const Values g = drawn(kShape.elements(), 2);
  for (const char* device : {"cpu_ref", "cpu"}) {
    Matrix matrix(plan(), weights, GetParam().dtype, kShape, device);
    matrix.begin();
    const Values centroids = matrix.state(".centroids");
    const Values got = matrix.finish(g);
    double off = 0, size = 0;
    for (std::size_t i = 0; i < weights.size(); ++i) {
      const auto moved = soft_matrix(weights, centroids, matrix.state(".tau"),
                                     matrix.state(".scales"), plan(), i, kStep);
      double want = 0;
      for (std::size_t k = 0; k < moved.size(); ++k) {
        want += double(g[k]) * moved[k].imag() / kStep;
      }
      off += (double(got[i]) - want) * (double(got[i]) - want);
      size += want * want;
    }
    EXPECT_LT(std::sqrt(off / size), 1e-5) << device;
    EXPECT_NE(centroids, matrix.state(".centroids")) << "a step moves the centroids";
  }
}

// What of a palette is stored: few numbers, each in f16.
TEST_P(Kinds, HardWeightsAreCentroids) {
  Matrix matrix(plan(), drawn(kShape.elements(), 1), GetParam().dtype);
  matrix.begin();
  const Values hard = matrix.read(false);
  const Values scales = matrix.state(".scales");
  const auto rows = static_cast<std::size_t>(plan().rows > 0 ? plan().rows : kShape[0]);
  const std::size_t size = rows * static_cast<std::size_t>(kShape[1]);
  for (std::size_t first = 0; first < hard.size(); first += size) {
    std::set<std::vector<float>> distinct;
    for (std::size_t i = first; i < first + size; i += static_cast<std::size_t>(plan().dim)) {
      std::vector<float> entry;
      for (std::size_t e = i; e < i + static_cast<std::size_t>(plan().dim); ++e) {
        const float scale = scales.empty() ? 1.0f : scales[e / static_cast<std::size_t>(kShape[1])];
        entry.push_back(float_of_half(half_of_float(hard[e] / scale)));
        EXPECT_NEAR(scale * entry.back(), hard[e], 1e-6);
      }
      distinct.insert(entry);
    }
    EXPECT_LE(distinct.size(), static_cast<std::size_t>(plan().clusters));
    EXPECT_GT(distinct.size(), 1u);
  }
}

INSTANTIATE_TEST_SUITE_P(Dkm, Kinds, testing::ValuesIn(kinds()),
                         [](const auto& row) { return std::string(row.param.name); });

Values cloned(std::initializer_list<float> of, std::int64_t count) {
  Values values(static_cast<std::size_t>(count));
  for (std::size_t i = 0; i < values.size(); ++i) {
    values[i] = *(of.begin() + static_cast<std::ptrdiff_t>(i % of.size()));
  }
  return values;
}

// Weights that are the centroids stay what they are.
TEST(Dkm, TwoHotWeightsAreKept) {
  const Values weights = cloned({-0.75f, -0.25f, 0.25f, 0.75f}, kShape.elements());
  for (const double floor : {0.0, 1e-7}) {
    Matrix matrix({.clusters = 4, .temperature = 0.05, .floor = floor}, weights);
    matrix.begin();
    const Values soft = matrix.read(true);
    for (std::size_t i = 0; i < soft.size(); ++i) {
      EXPECT_NEAR(soft[i], weights[i], floor == 0.0 ? 1.5e-8 : 4 * 1e-7 * 1.5);
    }
    EXPECT_EQ(matrix.read(false), weights);
  }
}

TEST(Dkm, ColdAttentionIsLloydsStepAndHotAttentionTheMean) {
  const Values weights = drawn(kShape.elements(), 7);
  Matrix cold({.clusters = 4, .temperature = 1e-9, .init = PaletteInit::kNormal}, weights);
  cold.begin();
  const Values from = cold.state(".centroids");
  std::vector<double> sums(4), counts(4);
  for (const float weight : weights) {
    std::size_t nearest = 0;
    for (std::size_t j = 1; j < 4; ++j) {
      nearest = std::abs(weight - from[j]) < std::abs(weight - from[nearest]) ? j : nearest;
    }
    sums[nearest] += weight;
    counts[nearest] += 1;
  }
  cold.finish(weights);
  for (std::size_t j = 0; j < 4; ++j) {
    EXPECT_NEAR(cold.state(".centroids")[j], sums[j] / counts[j], 1e-6);
  }
  Matrix hot({.clusters = 4, .temperature = 1e6}, weights);
  hot.begin();
  hot.finish(weights);
  double mean = 0;
  for (const float weight : weights) {
    mean += weight / double(weights.size());
  }
  for (const float centroid : hot.state(".centroids")) {
    EXPECT_NEAR(centroid, mean, 1e-5);
  }
}

// Expected numbers of distinct values of 4096 x 4096 normal weights of deviation 0.02.
TEST(Dkm, NormalWeightsHaveFewDistinctValues) {
  const auto backend = std::move(*make_backend("cpu", 2));
  const Tensor weights = workspace(*backend, "t", "w", Shape{4096, 4096});
  ops::random_fill(*backend, {.out = weights, .seed = 3, .stream = 4, .stddev = 0.02f});
  for (const auto& [codes, expected, share] :
       {std::tuple(DType::kF16, 23478.0, 0.01), std::tuple(DType::kBf16, 4673.0, 0.02)}) {
    const Tensor counts = workspace(*backend, "t", "counts", Shape{kPaletteCodes});
    const Tensor shares =
        workspace(*backend, "t", "shares", Shape{kPaletteShares, kPaletteCodes}, DType::kI32);
    ops::palette_count(
        *backend,
        {.weights = {.w = weights, .codes = codes}, .counts = counts, .workspace = shares});
    const float* const all = counts.ref().f32();
    const auto distinct = kPaletteCodes - std::count(all, all + kPaletteCodes, 0.0f);
    EXPECT_NEAR(static_cast<double>(distinct), expected, share * expected);
  }
}

// Through a slot: rows in one pass, or in two.
TEST(Dkm, PassesAddUp) {
  constexpr std::int64_t kRows = 8;
  std::vector<Values> gradients;
  for (const std::int64_t passes : {1, 2}) {
    const auto backend = std::move(*make_backend("cpu_ref", 1));
    Linear linear(*backend, {.name = "layers.0.mlp.up",
                             .in = kShape[1],
                             .out = kShape[0],
                             .palette = {.clusters = 4, .iterations = 2}});
    linear.initialise(3, 16);
    std::vector<Linear::Palettised> palettes;
    linear.append_palettes(palettes);
    Parameter& weight = *palettes[0].weight;
    Palette& palette = *palettes[0].palette;
    ASSERT_TRUE(palette.begin(weight).ok());
    const auto filled = [&](std::int64_t width, std::uint64_t stream) {
      Tensor made = workspace(*backend, "t", "rows", Shape{kRows, width});
      const Values values = drawn(made.ref().elements(), stream);
      backend->write(made, values.data(), made.ref().bytes());
      return made;
    };
    const Tensor x = filled(kShape[1], 3);
    const Tensor dy = filled(kShape[0], 4);
    const Tensor y = filled(kShape[0], 5);
    const Tensor dx = filled(kShape[1], 6);
    palette.set_soft(true);
    const std::int64_t rows = kRows / passes;
    for (std::int64_t first = 0; first < kRows; first += rows) {
      LinearSaved saved;
      const auto part = [&](const Tensor& all) { return all.ref().row_range(first, rows); };
      linear.forward(part(x), part(y), &saved);
      linear.backward(part(x), part(dy), part(dx), 0.0f, std::move(saved));
    }
    palette.finish(weight);
    const TensorRef gradient = weight.gradient;
    gradients.emplace_back(gradient.f32(), gradient.f32() + gradient.elements());
  }
  for (std::size_t i = 0; i < gradients[0].size(); ++i) {
    EXPECT_NEAR(gradients[0][i], gradients[1][i], 1e-6);
  }
}

std::string refused(const PalettePlan& plan, const Values& weights) {
  Matrix matrix(plan, weights);
  const auto begun = matrix.palette.begin(matrix.weight);
  EXPECT_FALSE(begun.ok());
  EXPECT_FALSE(matrix.palette.begun());
  return begun.ok() ? "" : begun.error().text();
}

TEST(Dkm, WeightsWithoutEnoughValuesAreRefused) {
  const std::int64_t count = kShape.elements();
  EXPECT_THAT(refused({.clusters = 8}, cloned({0.5f}, count)),
              HasSubstr("layers.0.mlp.up.weight.palette: rows 0 to 5 have 1 distinct values, fewer "
                        "than the 8 centroids"));
  EXPECT_THAT(refused({.clusters = 4}, cloned({0.5f, 1.0f, 2.0f}, count)),
              HasSubstr("have 3 distinct values"));
  // f16 does not tell these apart.
  EXPECT_THAT(refused({.clusters = 2}, cloned({1.0f, 1.0001f}, count)),
              HasSubstr("have 1 distinct values"));
  EXPECT_THAT(refused({.clusters = 4, .dim = 2}, cloned({0.5f}, count)),
              HasSubstr("distinct vectors"));
  Values broken = drawn(count, 1);
  broken[7] = std::numeric_limits<float>::quiet_NaN();
  EXPECT_THAT(refused({.clusters = 4}, broken), HasSubstr("a weight that is not finite"));
  Values large = drawn(count, 1);
  large[7] = 1e6f;
  EXPECT_THAT(refused({.clusters = 4}, large), HasSubstr("layers.0.mlp.up.weight.palette"));
}

}  // namespace
}  // namespace lathe
