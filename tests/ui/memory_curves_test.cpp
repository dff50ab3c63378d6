// The three curves of memory, and what is drawn where one of them is not told.
#include "ui/model/memory_curves.h"

#include <gtest/gtest.h>

#include <cmath>

#include "tests/ui/fake_world.h"
#include "ui/model/live_view.h"

namespace lathe::ui {
namespace {

namespace ex = lathe::experiments;

ex::MemorySample sample(std::int64_t step, std::optional<std::int64_t> device) {
  ex::MemorySample out;
  out.step = step;
  out.live.live_bytes = 10;
  out.peak.live_bytes = 30 + step;
  out.pool_bytes = 64;
  out.device_used_bytes = device;
  return out;
}

TEST(MemoryCurves, AreThreeWhereADeviceTells) {
  const std::vector samples{sample(0, 500), sample(1, std::nullopt), sample(2, 600)};
  const auto curves = memory_curves(samples, MemoryView::kPeak);
  ASSERT_EQ(curves.size(), 3u);
  EXPECT_EQ(curves[0].name, "ledger");
  EXPECT_EQ(curves[0].bytes, (std::vector<double>{30, 31, 32}));
  EXPECT_EQ(curves[1].name, "reserve");
  EXPECT_EQ(curves[1].bytes, (std::vector<double>{64, 64, 64}));
  EXPECT_EQ(curves[2].name, "device");
  EXPECT_EQ(curves[2].bytes[0], 500);
  EXPECT_TRUE(std::isnan(curves[2].bytes[1]));
  EXPECT_EQ(curves[2].bytes[2], 600);
  EXPECT_EQ(memory_curves(samples, MemoryView::kLive)[0].bytes[2], 10);
  EXPECT_EQ(highest_bytes(samples), 600);
}

TEST(MemoryCurves, OnAProcessorTheDeviceIsAbsent) {
  const std::vector samples{sample(0, std::nullopt), sample(1, std::nullopt)};
  const auto curves = memory_curves(samples, MemoryView::kPeak);
  ASSERT_EQ(curves.size(), 2u);
  EXPECT_EQ(curves[1].kind, 1u);
  EXPECT_EQ(highest_bytes(samples), 64);
  EXPECT_TRUE(memory_curves({}, MemoryView::kPeak).empty());
  EXPECT_EQ(highest_bytes({}), 1);
}

TEST(MemoryCurves, ThinningKeepsOrderAndTheHighestPeakOfEachGroup) {
  std::vector<ex::MemorySample> samples;
  for (std::int64_t step = 0; step < 1'000; ++step) {
    samples.push_back(sample(step, step));
    samples.back().peak.live_bytes = step == 333 ? 9'999 : 10;
  }
  const auto few = thinned(samples, 100);
  ASSERT_EQ(few.size(), 100u);
  EXPECT_EQ(few[33].step, 333);
  EXPECT_TRUE(std::ranges::is_sorted(few, {}, &ex::MemorySample::step));
  EXPECT_EQ(thinned(samples, 5'000).size(), 1'000u);
  EXPECT_TRUE(thinned({}, 100).empty());
}

// Through the live view, from a script whose machine has a device.
TEST(MemoryCurves, ComeThroughTheLiveView) {
  for (const bool device : {true, false}) {
    LiveView view;
    testing::ScriptedSweep script(20, device);
    script.begin(view);
    for (std::int64_t step = 0; step <= 5; ++step) {
      script.step(view, 0, step);
    }
    const auto state = view.snapshot();
    ASSERT_NE(state->runs[0]->memory, nullptr);
    EXPECT_EQ(memory_curves(*state->runs[0]->memory, MemoryView::kPeak).size(), device ? 3u : 2u);
  }
}

}  // namespace
}  // namespace lathe::ui
