// What the Palettes panel shows, without ImGui.
#include "ui/model/weight_palettes.h"

#include <gtest/gtest.h>

#include <cmath>
#include <numeric>

#include "tests/ui/fake_palettes.h"
#include "ui/model/live_view.h"
#include "ui/model/run_list.h"

namespace lathe::ui::testing {
namespace {

PaletteSnapshot snapshot(std::int64_t step, float centroid = 0) {
  PaletteView view;
  view.slot = "layers.0.mlp.up";
  view.clusters = 2;
  view.weights = 4;
  view.histogram = {4};
  view.centroids = {centroid, 1};
  view.uses = {3, 1};
  return {"run", step, std::make_shared<const std::vector<PaletteView>>(std::vector{view})};
}

std::vector<std::int64_t> steps_of(const std::vector<PaletteSnapshot>& snapshots) {
  std::vector<std::int64_t> steps;
  for (const PaletteSnapshot& one : snapshots) {
    steps.push_back(one.step);
  }
  return steps;
}

TEST(WeightPalettes, SnapshotsAreThinnedAndTakenAgain) {
  std::vector<PaletteSnapshot> all;
  for (const std::int64_t step : {0, 10, 20, 30, 40}) {
    add_snapshot(all, snapshot(step), 4);
  }
  EXPECT_EQ(steps_of(all), (std::vector<std::int64_t>{0, 20, 40}));
  add_snapshot(all, snapshot(50), 4);
  add_snapshot(all, snapshot(60), 4);
  EXPECT_EQ(steps_of(all), (std::vector<std::int64_t>{0, 40, 60})) << "the last one stays";
  add_snapshot(all, snapshot(40), 4);
  EXPECT_EQ(steps_of(all), (std::vector<std::int64_t>{0, 40})) << "a run that went back";
}

TEST(WeightPalettes, TheSnapshotOfAStepIsTheLastNotAfterIt) {
  const std::vector<PaletteSnapshot> all{snapshot(10), snapshot(20), snapshot(30)};
  EXPECT_EQ(snapshot_at(all, 5).step, 10);
  EXPECT_EQ(snapshot_at(all, 20).step, 20);
  EXPECT_EQ(snapshot_at(all, 29.9).step, 20);
  EXPECT_EQ(snapshot_at(all, 1e9).step, 30);
}

TEST(WeightPalettes, TheListIsSortedByAnyColumn) {
  const std::vector<PaletteView> palettes = some_palettes(2, 0.5);
  ASSERT_EQ(palettes.size(), 14u);
  for (std::size_t column = 0; column < kPaletteColumns; ++column) {
    for (const bool descending : {false, true}) {
      const auto kind = static_cast<PaletteColumn>(column);
      const auto order = sorted_palettes(palettes, kind, descending);
      ASSERT_EQ(order.size(), palettes.size());
      for (std::size_t i = 1; i < order.size(); ++i) {
        const double before = palette_number(palettes, order[i - 1], kind);
        const double after = palette_number(palettes, order[i], kind);
        EXPECT_TRUE(descending ? before >= after : before <= after) << column;
        EXPECT_TRUE(before != after || order[i - 1] < order[i]) << "equal ones stay in order";
      }
    }
  }
  EXPECT_EQ(palette_text(palettes[0], PaletteColumn::kBits), "3");
  EXPECT_EQ(sorted_palettes(palettes, PaletteColumn::kEntropy, false).front(), 1u);
}

TEST(WeightPalettes, BitsOfACodeAreSharedByItsNeighbours) {
  PaletteView view;
  view.clusters = 12;
  EXPECT_EQ(code_bits(view), 4);
  view.dim = 2;
  EXPECT_EQ(code_bits(view), 2);
  view.clusters = 8;
  EXPECT_EQ(palette_text(view, PaletteColumn::kBits), "1.5");
}

TEST(WeightPalettes, CurvesAreSharesAndIdleCodesAreCounted) {
  const std::vector<PaletteView> palettes = some_palettes(1, 1);
  const PaletteCurves curves = palette_curves(palettes[1], 0);
  ASSERT_EQ(curves.places.size(), std::size_t{kPaletteBins});
  EXPECT_NEAR(std::accumulate(curves.weights.begin(), curves.weights.end(), 0.0), 1, 0.02);
  EXPECT_NEAR(std::accumulate(curves.uses.begin(), curves.uses.end(), 0.0), 1, 1e-9);
  EXPECT_TRUE(std::is_sorted(curves.centroids.begin(), curves.centroids.end()));
  EXPECT_EQ(curves.idle, 2u);
  EXPECT_EQ(palette_curves(palettes[2], 0).idle, 0u);
  EXPECT_NEAR(curves.places.front() - curves.bin_width / 2, palettes[1].lowest, 1e-12);
}

// A pair of numbers is two marks with the use of the one code; palettes beyond those kept are the
// last of them.
TEST(WeightPalettes, VectorsAndGroupsOfRows) {
  PaletteView view;
  view.clusters = 2;
  view.dim = 2;
  view.palettes = 9;
  view.weights = 8;
  view.histogram = {8};
  view.centroids = {4, 1, 2, 3, 0, 0, 0, 0, 0, 0, 0, 0, -1, -2, -3, -4};
  view.uses = {3, 1, 1, 3, 1, 3, 2, 2};
  EXPECT_EQ(palettes_shown(view), 4u);
  const PaletteCurves first = palette_curves(view, 0);
  EXPECT_EQ(first.centroids, (std::vector<double>{1, 2, 3, 4}));
  EXPECT_EQ(first.uses, (std::vector<double>{0.75, 0.25, 0.25, 0.75}));
  EXPECT_EQ(palette_curves(view, 7).centroids, (std::vector<double>{-4, -3, -2, -1}));
}

TEST(WeightPalettes, TrailsFollowAMatrixThroughSnapshots) {
  const std::vector<PaletteSnapshot> all{snapshot(0, -1), snapshot(10, -2), snapshot(20, -3)};
  const CentroidTrails trails = centroid_trails(all, "layers.0.mlp.up", 0);
  EXPECT_EQ(trails.steps, (std::vector<double>{0, 10, 20}));
  ASSERT_EQ(trails.values.size(), 2u);
  EXPECT_EQ(trails.values[0], (std::vector<double>{-1, -2, -3}));
  EXPECT_TRUE(centroid_trails(all, "layers.7.mlp.up", 0).steps.empty());
}

TEST(WeightPalettes, TotalsAreOfAllMatrices) {
  const std::vector<PaletteView> palettes = some_palettes(1, 0);
  const PaletteTotals totals = palette_totals(palettes);
  EXPECT_EQ(totals.weights, 4 * 65536 + 3 * 176128);
  EXPECT_NEAR(8 * totals.stored_bytes / totals.weights, 3, 0.01);
  EXPECT_DOUBLE_EQ(totals.full_bits, 3);
  EXPECT_LT(totals.entropy_bits, 3);
}

TEST(WeightPalettes, OfARunOfThisProcessTheLiveViewKnowsThem) {
  LiveView view;
  view.on_event(experiments::RunStarted{"run", 1, 0, 100, Json::object(), ""});
  view.on_event(snapshot(0));
  view.on_event(snapshot(10));
  auto live = view.snapshot();
  EXPECT_EQ(palettes_of({}, *live, "run")->size(), 2u);
  EXPECT_EQ(palettes_of({}, *live, "other"), nullptr);
  StoreSnapshot store;
  auto record = std::make_shared<RunRecord>();
  record->palettes = std::make_shared<const std::vector<PaletteSnapshot>>(3, snapshot(7));
  store.records["run"] = record;
  store.records["other"] = record;
  EXPECT_EQ(palettes_of(store, *live, "run")->size(), 2u);
  EXPECT_EQ(palettes_of(store, *live, "other")->size(), 3u);
}

}  // namespace
}  // namespace lathe::ui::testing
