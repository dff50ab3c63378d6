// What the Memory panel shows: columns that never lose the peak, tensors alive there, areas.
#include "ui/model/step_memory.h"

#include <gtest/gtest.h>

#include <numeric>

#include "tests/support/step_profile.h"

namespace lathe::ui {
namespace {

double sum_at(const StepMemory& memory, std::size_t place) {
  double sum = 0;
  for (const auto& bytes : memory.bytes) {
    sum += bytes[place];
  }
  return sum;
}

TEST(StepMemory, EveryEventWhereThereIsRoom) {
  const test::ProfileMaker made(4);
  const StepMemory memory = step_memory(made.profile(), 1000);
  ASSERT_EQ(memory.event.size(), made.profile().time_line.size());
  for (std::size_t i = 0; i < memory.event.size(); ++i) {
    EXPECT_EQ(sum_at(memory, i), double(made.profile().time_line[i].live_bytes)) << i;
  }
  EXPECT_EQ(memory.peak_bytes, made.peak());
  EXPECT_EQ(memory.peak_event, 4);
}

TEST(StepMemory, FewColumnsKeepThePeak) {
  const test::ProfileMaker made(500);
  for (const std::size_t columns : {1u, 7u, 64u}) {
    const StepMemory memory = step_memory(made.profile(), columns);
    EXPECT_LE(memory.event.size(), columns);
    double highest = 0;
    for (std::size_t i = 0; i < memory.event.size(); ++i) {
      highest = std::max(highest, sum_at(memory, i));
    }
    EXPECT_EQ(highest, double(made.peak())) << columns;
    EXPECT_TRUE(std::is_sorted(memory.event.begin(), memory.event.end()));
  }
  EXPECT_TRUE(step_memory({}, 8).event.empty());
}

TEST(StepMemory, TensorsAliveAtThePeakAreNamedAndGrouped) {
  const std::vector<AliveTensor> alive = alive_at_peak(test::ProfileMaker(5).profile());
  ASSERT_EQ(alive.size(), 3u);
  EXPECT_EQ(alive[0].layer, "layers.*.mlp.up");
  EXPECT_EQ(alive[0].name, "") << "weights, there before the step";
  EXPECT_EQ(alive[0].bytes, 5 * test::kProfileWeights);
  EXPECT_EQ(alive[1].name, "up");
  EXPECT_EQ(alive[1].count, 5);
  EXPECT_EQ(alive[1].bytes, 5 * test::kProfileKept);
  EXPECT_EQ(alive[2].name, "dhidden");
  EXPECT_EQ(alive[2].count, 1);
}

TEST(StepMemory, PatternsOfBlocks) {
  EXPECT_EQ(block_pattern("layers.13.mlp.down"), "layers.*.mlp.down");
  EXPECT_EQ(block_pattern("layers.0"), "layers.*");
  EXPECT_EQ(block_pattern("embedding"), "embedding");
}

TEST(StepMemory, PartsAddUpToThePeak) {
  const test::ProfileMaker made(3);
  const std::vector<PartMemory> parts = parts_at_peak(made.profile());
  ASSERT_EQ(parts.size(), 3u);
  EXPECT_EQ(parts[0].part, "layers.2") << "with the scratch of its backward";
  std::int64_t sum = 0;
  for (const PartMemory& part : parts) {
    sum += part.bytes;
  }
  EXPECT_EQ(sum, made.peak());
}

TEST(StepMemory, PeaksSideBySide) {
  LedgerSnapshot planned, actual, other;
  planned.by_category[0] = actual.by_category[0] = 100;
  other.by_category[2] = 7;
  planned.live_bytes = actual.live_bytes = 100;
  other.live_bytes = 7;
  const std::vector<PeakRow> alone = peak_rows(planned, actual, nullptr);
  ASSERT_EQ(alone.size(), 2u);
  EXPECT_EQ(alone[0].name, "weights");
  EXPECT_EQ(alone[1].name, "all");
  const std::vector<PeakRow> both = peak_rows(planned, actual, &other);
  ASSERT_EQ(both.size(), 3u);
  EXPECT_EQ(both[1].name, "gradients");
  EXPECT_EQ(both[1].other, 7);
  EXPECT_EQ(change_of_bytes(2048, 1024), "+1.00 KiB");
  EXPECT_EQ(change_of_bytes(1024, 2048), "-1.00 KiB");
  EXPECT_EQ(change_of_bytes(5, 5), "same");
}

TEST(Treemap, AreasAreInProportionAndFillTheWhole) {
  const std::vector<double> sizes{6, 6, 4, 3, 2, 2, 1};
  const Area whole{10, 20, 6, 4};
  const std::vector<Area> areas = treemap(sizes, whole);
  ASSERT_EQ(areas.size(), sizes.size());
  for (std::size_t i = 0; i < areas.size(); ++i) {
    EXPECT_NEAR(areas[i].width * areas[i].height, sizes[i], 1e-9);
    EXPECT_GE(areas[i].x, whole.x - 1e-9);
    EXPECT_GE(areas[i].y, whole.y - 1e-9);
    EXPECT_LE(areas[i].x + areas[i].width, whole.x + whole.width + 1e-9);
    EXPECT_LE(areas[i].y + areas[i].height, whole.y + whole.height + 1e-9);
    for (std::size_t j = 0; j < i; ++j) {
      const bool apart = areas[j].x + areas[j].width <= areas[i].x + 1e-9 ||
                         areas[i].x + areas[i].width <= areas[j].x + 1e-9 ||
                         areas[j].y + areas[j].height <= areas[i].y + 1e-9 ||
                         areas[i].y + areas[i].height <= areas[j].y + 1e-9;
      EXPECT_TRUE(apart) << i << " over " << j;
    }
  }
  // The example of the paper: the first two lie one over the other, on the left.
  EXPECT_NEAR(areas[0].width, 3, 1e-9);
  EXPECT_NEAR(areas[0].height, 2, 1e-9);
  EXPECT_TRUE(treemap({}, whole).empty());
}

}  // namespace
}  // namespace lathe::ui
