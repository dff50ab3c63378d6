// What is shown of palettes (engine/train/palette_view.h): against counts on the host, and that
// looking changes nothing.
#include "engine/train/palette_view.h"

#include <gtest/gtest.h>

#include <cmath>
#include <numeric>
#include <set>

#include "engine/nn/palette.h"
#include "engine/nn/transformer.h"
#include "engine/quant/half.h"
#include "engine/train/trainer.h"
#include "tests/methods/tiny_run.h"

namespace lathe {
namespace {

using test::make_run;

// A matrix of given weights, read through palettes that are given, too.
struct Matrix {
  Matrix(const PalettePlan& plan, const Shape& shape, const std::vector<float>& values,
         const std::vector<float>& centroids, const std::string& device)
      : backend(std::move(*make_backend(device, 1))),
        weight(make_parameter(*backend, "layers.0.mlp.up", "weight", shape, true)),
        palette(*backend, "layers.0.mlp.up", "weight", plan, shape) {
    set_values(*backend, weight, values.data());
    const auto begun = palette.begin(weight);
    EXPECT_TRUE(begun.ok()) << begun.error().text();
    const TensorRef all = palette.state().front().second;
    EXPECT_EQ(all.elements(), static_cast<std::int64_t>(centroids.size()));
    backend->write(all, centroids.data(), all.bytes());
  }
  PaletteView view() { return view_palette(*backend, palette, weight); }

  std::unique_ptr<Backend> backend;
  Parameter weight;
  Palette palette;
};

std::int64_t sum_of(const std::vector<std::int64_t>& counts) {
  return std::accumulate(counts.begin(), counts.end(), std::int64_t{0});
}

class OnEachProcessor : public ::testing::TestWithParam<const char*> {};

// 64 weights, of which half are nearest to the first of four centroids, a quarter to the second,
// an eighth to each of the others: 1.75 bits.
TEST_P(OnEachProcessor, EntropyAndUsesAreThoseOfTheNearest) {
  std::vector<float> values(64, -1.0f);
  std::fill_n(values.begin() + 32, 16, -0.25f);
  std::fill_n(values.begin() + 48, 8, 0.25f);
  std::fill_n(values.begin() + 56, 8, 1.0f);
  Matrix matrix({.clusters = 4}, Shape{4, 16}, values, {-0.9f, -0.3f, 0.2f, 1.1f}, GetParam());
  const PaletteView view = matrix.view();
  EXPECT_EQ(view.slot, "layers.0.mlp.up");
  EXPECT_EQ(view.weights, 64);
  EXPECT_EQ(view.distinct, 4);
  EXPECT_DOUBLE_EQ(view.entropy_bits, 1.75);
  EXPECT_EQ(view.uses, (std::vector<std::int64_t>{32, 16, 8, 8}));
  EXPECT_EQ(view.centroids, (std::vector<float>{-0.9f, -0.3f, 0.2f, 1.1f}));
  EXPECT_EQ(view.lowest, -1.0);
  EXPECT_EQ(view.highest, 1.0);
  ASSERT_EQ(view.histogram.size(), std::size_t{kPaletteBins});
  EXPECT_EQ(view.histogram.front(), 32);
  EXPECT_EQ(view.histogram.back(), 8);
  EXPECT_EQ(view.histogram[36], 16);
  EXPECT_EQ(view.histogram[60], 8);
}

// Each of two groups uses one code of its own alone: no bits, though the matrix uses two.
TEST_P(OnEachProcessor, EntropyIsTheMeanOfPalettes) {
  std::vector<float> values(64);
  for (std::size_t i = 0; i < values.size(); ++i) {
    values[i] = (i < 32 ? -1.0f : 1.0f) + 0.01f * static_cast<float>(i % 2);
  }
  Matrix matrix({.clusters = 2, .rows = 2}, Shape{4, 16}, values, {-1, 9, -9, 1}, GetParam());
  const PaletteView view = matrix.view();
  EXPECT_EQ(view.palettes, 2);
  EXPECT_EQ(view.uses, (std::vector<std::int64_t>{32, 0, 0, 32}));
  EXPECT_EQ(view.entropy_bits, 0.0);
}

// Pairs: codes are counted, weights as single numbers.
TEST_P(OnEachProcessor, OfVectorsCodesAreCounted) {
  std::vector<float> values;
  for (int pair = 0; pair < 32; ++pair) {
    values.push_back(pair < 8 ? 1.0f : -1.0f);
    values.push_back(0.5f);
  }
  Matrix matrix({.clusters = 2, .dim = 2}, Shape{4, 16}, values, {-1, 0.5f, 1, 0.5f}, GetParam());
  const PaletteView view = matrix.view();
  EXPECT_EQ(view.uses, (std::vector<std::int64_t>{24, 8}));
  EXPECT_NEAR(view.entropy_bits, 2 - 0.75 * std::log2(3.0), 1e-12);
  EXPECT_EQ(view.distinct, 3);
  EXPECT_EQ(sum_of(view.histogram), 64);
  EXPECT_EQ(view.centroids.size(), 4u);
}

// At this temperature attention is to the nearest alone, where it is not equally far.
TEST_P(OnEachProcessor, SoftAndHardWeightsAreApartByTheirDifference) {
  PalettePlan plan{.clusters = 2, .temperature = 1e-3, .relative = false};
  std::vector<float> values(64, -1.0f);
  std::fill_n(values.begin() + 32, 32, 1.0f);
  {
    Matrix matrix(plan, Shape{4, 16}, values, {-1, 1}, GetParam());
    EXPECT_NEAR(matrix.view().soft_hard_distance, 0.0, 1e-6);
  }
  // A quarter of the weights is half-way between both, and hard the first of them.
  std::fill_n(values.begin() + 16, 16, 0.0f);
  Matrix matrix(plan, Shape{4, 16}, values, {-1, 1}, GetParam());
  // c_1 = (16 (-1) + 8 0) / 24 and (32 1 + 8 0) / 40; read softly: -2/3, 4/5, and 1/15 between.
  const double square =
      16 * std::pow(-2.0 / 3 + 1, 2) + 32 * std::pow(0.8 - 1, 2) + 16 * std::pow(1.0 / 15 + 1, 2);
  EXPECT_NEAR(matrix.view().soft_hard_distance, std::sqrt(square / 64), 1e-6);
}

INSTANTIATE_TEST_SUITE_P(Processors, OnEachProcessor, ::testing::Values("cpu_ref", "cpu"));

TrainSpec dkm_spec(const Json& params) {
  TrainSpec spec = test::tiny_spec();
  spec.method["dkm"] = test::params("dkm", params);
  return spec;
}

TEST(PaletteView, ATrainersMatricesAgainstTheHost) {
  test::TinyRun run = make_run(dkm_spec({{"bits", 3}}));
  run.steps(3);
  const std::vector<PaletteView> views = run.trainer->view_palettes();
  const auto palettes = run.trainer->transformer().palettes();
  ASSERT_EQ(views.size(), palettes.size());
  for (std::size_t i = 0; i < views.size(); ++i) {
    const Tensor& weight = palettes[i].weight->weight;
    std::vector<float> values(static_cast<std::size_t>(weight.ref().elements()));
    run.backend->read(weight, values.data(), weight.ref().bytes());
    std::set<float> distinct;
    for (const float value : values) {
      distinct.insert(float_of_half(half_of_float(value)));
    }
    EXPECT_EQ(views[i].slot + ".weight", palettes[i].weight->name);
    EXPECT_EQ(views[i].distinct, static_cast<std::int64_t>(distinct.size()));
    EXPECT_EQ(views[i].lowest, *distinct.begin());
    EXPECT_EQ(views[i].highest, *distinct.rbegin());
    EXPECT_EQ(sum_of(views[i].histogram), views[i].weights);
    EXPECT_EQ(sum_of(views[i].uses), views[i].weights);
    EXPECT_LE(views[i].entropy_bits, 3.0);
    EXPECT_GT(views[i].entropy_bits, 1.0);
    EXPECT_GT(views[i].soft_hard_distance, 0.0);
  }
}

TEST(PaletteView, FactorsAreNamedApartAndPalettesShownAreFew) {
  TrainSpec spec = dkm_spec({{"bits", 2}, {"rows", 4}, {"row_scale", "largest"}});
  spec.method["low_rank"] = test::params("low_rank", {{"rank", 8}});
  const auto views = make_run(spec).trainer->view_palettes();
  ASSERT_GE(views.size(), 2u);
  EXPECT_EQ(views[0].slot, "layers.0.attention.q.a");
  EXPECT_EQ(views[1].slot, "layers.0.attention.q.b");
  EXPECT_EQ(views[1].palettes, 8);
  EXPECT_EQ(views[1].centroids.size(), 16u);
  EXPECT_EQ(std::max(-views[1].lowest, views[1].highest), 1.0);
}

TEST(PaletteView, LookingChangesNothing) {
  for (const Json& params :
       {Json{{"bits", 3}, {"iterations", 2}}, Json{{"bits", 4}, {"cluster_dim", 2}}}) {
    test::TinyRun looked = make_run(dkm_spec(params));
    test::TinyRun other = make_run(dkm_spec(params));
    for (int step = 0; step < 3; ++step) {
      looked.trainer->view_palettes();
      EXPECT_EQ(looked.trainer->step()->peak.live_bytes, other.trainer->step()->peak.live_bytes);
    }
    EXPECT_EQ(looked.trainer->parameter_digest(), other.trainer->parameter_digest());
    EXPECT_EQ(looked.trainer->evaluate()->loss, other.trainer->evaluate()->loss);
  }
}

TEST(PaletteView, ThereIsNoneBeforePalettesBegin) {
  test::TinyRun run = make_run(dkm_spec({{"bits", 2}, {"begin_after", 2}}));
  run.steps(2);
  EXPECT_TRUE(run.trainer->view_palettes().empty());
  run.steps(1);
  EXPECT_EQ(run.trainer->view_palettes().size(), 14u);
  EXPECT_TRUE(make_run(test::tiny_spec()).trainer->view_palettes().empty());
}

}  // namespace
}  // namespace lathe
