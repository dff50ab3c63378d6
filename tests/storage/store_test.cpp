// Writing events and reading them back through the catalogue.
#include <cmath>
#include <limits>

#include "tests/storage/store_fixture.h"

namespace lathe::storage {
namespace {

using namespace experiments;

TEST_F(StoreTest, ARunIsReadBackWithItsSummaryAndPoints) {
  auto writing = store();
  writing->on_event(created("aaaaaaaaaa"));
  writing->on_event(started("aaaaaaaaaa"));
  for (int step = 1; step <= 50; ++step) {
    writing->on_event(point("aaaaaaaaaa", "train/loss", step, step == 20 ? 0.5 : 100.0 / step));
  }
  expect_ok(writing->flush());
  writing->on_event(RunFinished{"aaaaaaaaaa", RunState::kDone, 50});
  expect_ok(writing->flush());
  auto reading = catalog();
  const auto runs = value_of(reading->runs());
  ASSERT_EQ(runs.size(), 1u);
  EXPECT_EQ(runs[0].state, RunState::kDone);
  EXPECT_EQ(runs[0].step, 50);
  EXPECT_EQ(runs[0].last.at("train/loss"), 2.0);
  EXPECT_EQ(runs[0].best.at("train/loss"), 0.5);
  const auto points = value_of(reading->points("aaaaaaaaaa", "train/loss"));
  ASSERT_EQ(points.size(), 50u);
  EXPECT_EQ(points[9].value, 10.0);
  EXPECT_EQ(points[9].time_ms, 1010);
}

}  // namespace
}  // namespace lathe::storage
