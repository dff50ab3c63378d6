// What differs between runs, and which is best at what.
#include "ui/model/compare_model.h"

#include <gtest/gtest.h>

#include <algorithm>

#include "tests/ui/fake_world.h"

namespace lathe::ui {
namespace {

std::vector<RunRow> played_rows() {
  LiveView view;
  testing::ScriptedSweep play(50);
  play.play(view);
  return merge_runs(StoreSnapshot{}, *view.snapshot());
}

TEST(Compare, MarksDifferencesAndTheBest) {
  const std::vector<RunRow> rows = played_rows();
  const Comparison result = compare(rows, {rows[0].id, rows[2].id, "unknown"});
  ASSERT_EQ(result.runs.size(), 2U);
  const auto rank = std::find_if(result.spec.begin(), result.spec.end(), [](const auto& line) {
    return line.path == "method.low_rank.rank";
  });
  ASSERT_NE(rank, result.spec.end());
  EXPECT_TRUE(rank->differs);
  EXPECT_EQ(rank->values, (std::vector<std::string>{"4", "16"}));
  const auto dim = std::find_if(result.spec.begin(), result.spec.end(),
                                [](const auto& line) { return line.path == "model.dim"; });
  ASSERT_NE(dim, result.spec.end());
  EXPECT_FALSE(dim->differs);
  for (const ResultLine& line : result.results) {
    if (line.key == "eval/loss") {
      EXPECT_EQ(line.best, 1);
    }
    if (line.key == "model/params") {
      EXPECT_EQ(line.best, 0);
    }
  }
}

TEST(Compare, NothingChosenIsNothing) {
  EXPECT_TRUE(compare(played_rows(), {}).runs.empty());
}

}  // namespace
}  // namespace lathe::ui
