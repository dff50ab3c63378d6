// What a step keeps of one matrix, as the ledger counts it: eDKM's ablation (arXiv 2309.00964,
// table 2) and what tables keep, planned on meta and, of a smaller matrix, measured; and that all
// ways give the same.
#include <gtest/gtest.h>

#include <array>
#include <cmath>
#include <map>

#include "engine/backend/meta/meta_backend.h"
#include "engine/nn/palette.h"
#include "tests/methods/dkm_matrix.h"

namespace lathe {
namespace {

using test::drawn;
using test::kShape;
using test::Matrix;
using test::Values;

constexpr double kMiB = 1 << 20;

struct Kept {
  std::int64_t own = 0;  // of the first learner
  std::int64_t others = 0;
};

// What stands between forward and backward beside the weight, by the ledger.
Kept kept_bytes(Backend& backend, const Shape& shape, const PalettePlan& plan) {
  Parameter weight = make_parameter(backend, "layers.0.mlp.up", "weight", shape, true);
  draw_values(backend, weight, {.out = {}, .seed = 1, .stream = 2, .stddev = 0.02f});
  Palette palette(backend, "layers.0.mlp.up", "weight", plan, shape);
  EXPECT_TRUE(palette.begin(weight).ok());
  palette.set_soft(true);
  Ledger& ledger = backend.ledger();
  const auto quantizer = [&] {
    return ledger.live().by_category[static_cast<std::size_t>(Category::kQuantizer)];
  };
  const std::int64_t before = quantizer();
  palette.weights(weight.weight).reset();
  const std::int64_t all = quantizer() - before;
  Kept kept;
  for (const LayerBytes& layer : ledger.live_by_layer()) {
    if (layer.layer.find(".learner") != std::string::npos) {
      kept.others += layer.bytes;
    }
  }
  kept.own = all - kept.others;
  return kept;
}

PalettePlan plan_of(PaletteMemory memory, std::int64_t clusters, std::int64_t learners = 1) {
  PalettePlan plan{.clusters = clusters};
  plan.memory = memory;
  plan.learners = learners;
  return plan;
}

struct Row {
  PaletteMemory memory;
  std::int64_t clusters, learners;
  double mib, within;
};

TEST(DkmMemory, ThePlanHasThePapersAblation) {
  for (const Row& row :
       {Row{PaletteMemory::kNaive, 8, 1, 1600, 0.5}, Row{PaletteMemory::kMarshaled, 8, 1, 544, 0.5},
        Row{PaletteMemory::kUniquified, 8, 1, 97, 1}, Row{PaletteMemory::kMarshaled, 8, 8, 68, 0.5},
        Row{PaletteMemory::kUniquified, 8, 8, 12.4, 0.35},
        Row{PaletteMemory::kNaive, 16, 1, 3136, 1}, Row{PaletteMemory::kMarshaled, 16, 1, 1056, 1},
        Row{PaletteMemory::kUniquified, 16, 1, 97.5, 1.5}}) {
    const auto meta = make_meta_backend({.parallelism = 2});
    const Kept kept =
        kept_bytes(*meta, Shape{4096, 4096}, plan_of(row.memory, row.clusters, row.learners));
    EXPECT_NEAR(static_cast<double>(kept.own) / kMiB, row.mib, row.within)
        << static_cast<int>(row.memory) << " " << row.learners;
  }
  // What is kept over learners depends on how many values their weights have: fewer in bf16.
  const auto meta = make_meta_backend({.parallelism = 2});
  PalettePlan plan = plan_of(PaletteMemory::kUniquified, 8, 8);
  plan.codes = DType::kBf16;
  EXPECT_NEAR(static_cast<double>(kept_bytes(*meta, Shape{4096, 4096}, plan).own) / kMiB, 12.1,
              0.1);
}

// Over 300 times less than the whole maps: in fact a few hundred bytes.
TEST(DkmMemory, TablesKeepCentroids) {
  const auto meta = make_meta_backend({.parallelism = 2});
  EXPECT_LE(kept_bytes(*meta, Shape{4096, 4096}, plan_of(PaletteMemory::kTable, 8)).own, 128);
}

// 2 N ((5 r + 1) K + 2 r) and so on, by a real ledger.
TEST(DkmMemory, TheLedgerHasTheFormulas) {
  constexpr std::int64_t kSide = 512;
  constexpr double kWeights = double(kSide * kSide);
  const auto measured = [&](PaletteMemory memory, std::int64_t learners = 1) {
    const auto backend = std::move(*make_backend("cpu", 2));
    return kept_bytes(*backend, Shape{kSide, kSide}, plan_of(memory, 8, learners));
  };
  EXPECT_NEAR(double(measured(PaletteMemory::kNaive).own), 2 * kWeights * (6 * 8 + 2), 1e3);
  EXPECT_NEAR(double(measured(PaletteMemory::kMarshaled).own), 2 * kWeights * (2 * 8 + 1), 1e3);
  const Kept shared = measured(PaletteMemory::kMarshaled, 4);
  EXPECT_NEAR(double(shared.own), 2 * kWeights * (2 * 8 + 1) / 4, 1e3);
  EXPECT_NEAR(double(shared.others), 3 * double(shared.own), 1e3);
  const auto distinct = static_cast<double>(expected_distinct(DType::kF16, kSide * kSide, 0.02));
  EXPECT_NEAR(double(measured(PaletteMemory::kUniquified).own),
              2 * (2 * kWeights + 2 * distinct * 8) + 2 * kWeights, 0.02 * 6 * kWeights);
}

TEST(DkmMemory, NormalWeightsHaveAsManyDistinctValuesAsExpected) {
  EXPECT_NEAR(double(expected_distinct(DType::kF16, 4096 * 4096, 0.02)), 23478, 50);
  EXPECT_NEAR(double(expected_distinct(DType::kBf16, 4096 * 4096, 0.02)), 4673, 20);
}

struct Way {
  PaletteMemory memory = PaletteMemory::kTable;
  std::int64_t learners = 1;
};
constexpr std::array kWays{Way{PaletteMemory::kNaive},      Way{PaletteMemory::kNaive, 3},
                           Way{PaletteMemory::kMarshaled},  Way{PaletteMemory::kMarshaled, 4},
                           Way{PaletteMemory::kUniquified}, Way{PaletteMemory::kUniquified, 2}};

// Forward to the bit, backward to rounding; over learners backward as by one, to the bit.
TEST(DkmMemory, AllWaysToKeepMapsGiveWhatTablesGive) {
  const Values weights = drawn(kShape.elements(), 1);
  const Values g = drawn(kShape.elements(), 2);
  for (const char* device : {"cpu_ref", "cpu"}) {
    for (const std::int64_t rows : {0, 3}) {
      PalettePlan plan{.clusters = 4, .rows = rows, .iterations = 3, .floor = 1e-3};
      plan.maps = DType::kF32;
      Matrix table(plan, weights, DType::kF32, kShape, device);
      table.begin();
      const Values soft = table.read(true);
      const Values gradient = table.finish(g);
      std::map<PaletteMemory, Values> of_one;
      for (const auto& [memory, learners] : kWays) {
        plan.memory = memory;
        plan.learners = std::min(learners, rows > 0 ? rows : learners);
        Matrix matrix(plan, weights, DType::kF32, kShape, device);
        matrix.begin();
        EXPECT_EQ(matrix.read(true), soft);
        const Values got = matrix.finish(g);
        for (std::size_t i = 0; i < got.size(); ++i) {
          EXPECT_NEAR(got[i], gradient[i], 2e-6) << device << " " << static_cast<int>(memory);
        }
        EXPECT_EQ(matrix.state(".centroids"), table.state(".centroids"));
        const auto [one, is_new] = of_one.try_emplace(memory, got);
        EXPECT_EQ(one->second, got) << "learners change bits";
      }
    }
  }
}

// In bf16 maps are what a half-precision graph has: near, and equal whichever way they are kept.
TEST(DkmMemory, MapsInBf16AreNear) {
  const Values weights = drawn(kShape.elements(), 1);
  const Values g = drawn(kShape.elements(), 2);
  Matrix table({.clusters = 4, .iterations = 2}, weights);
  table.begin();
  const Values gradient = table.finish(g);
  std::vector<Values> all;
  for (const auto& [memory, learners] : kWays) {
    PalettePlan plan{.clusters = 4, .iterations = 2};
    plan.memory = memory;
    plan.learners = learners;
    Matrix matrix(plan, weights);
    matrix.begin();
    all.push_back(matrix.finish(g));
    EXPECT_EQ(all.back(), all.front());
    for (std::size_t i = 0; i < gradient.size(); ++i) {
      EXPECT_NEAR(all.back()[i], gradient[i], 0.05);
    }
  }
  EXPECT_NE(all.front(), gradient);
}

}  // namespace
}  // namespace lathe
