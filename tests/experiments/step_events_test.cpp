// What a step tells of memory, with a device that says what all programs use of it and without.
#include "experiments/step_events.h"

#include <gtest/gtest.h>

#include "experiments/metrics.h"
#include "tests/experiments/runner_fixture.h"

namespace lathe::experiments {
namespace {

class FixedReserve final : public MemorySource {
 public:
  void* take(std::int64_t) override { return nullptr; }
  void give_back(void*, std::int64_t) noexcept override {}
  bool holds_memory() const override { return false; }
  std::int64_t pool_bytes() const override { return 2'000; }
};

class FakeDevice final : public Backend {
 public:
  FakeDevice()
      : Backend({.name = "fake", .device = "fake"}, table_, std::make_unique<FixedReserve>()) {}
  void write(TensorRef, const void*, std::int64_t) override {}
  void read(TensorRef, void*, std::int64_t) override {}
  std::optional<std::int64_t> device_used_bytes() override { return used; }

  std::optional<std::int64_t> used;

 private:
  OpTable table_{};
};

StepReport report_of(std::int64_t step) {
  StepReport report;
  report.step = step;
  report.step_secs = 1;
  report.live.live_bytes = 1'000;
  report.peak.live_bytes = 1'500;
  return report;
}

std::optional<double> value_of(const MetricBatch& batch, const std::string& metric) {
  for (const MetricPoint& point : batch.points) {
    if (point.metric == metric) {
      return point.value;
    }
  }
  return std::nullopt;
}

TEST(StepEvents, PalettesAreASnapshotAndEachSlotsFigures) {
  Witness witness;
  StepEvents events("run", 1, witness);
  events.palettes(3, {});
  EXPECT_TRUE(witness.all<MetricBatch>().empty()) << "nothing of a run without palettes";
  std::vector<PaletteView> views(2);
  views[0].slot = "layers.0.mlp.up";
  views[0].distinct = 100;
  views[0].entropy_bits = 2;
  views[0].soft_hard_distance = 0.5;
  views[1].slot = "layers.0.mlp.down";
  views[1].distinct = 300;
  views[1].entropy_bits = 1;
  events.palettes(4, views);
  const MetricBatch batch = witness.all<MetricBatch>().at(0);
  EXPECT_EQ(batch.points.at(0).step, 4);
  EXPECT_EQ(value_of(batch, "dkm/distinct").value(), 200);
  EXPECT_EQ(value_of(batch, "dkm/entropy").value(), 1.5);
  EXPECT_EQ(value_of(batch, "dkm/soft_hard_distance").value(), 0.25);
  EXPECT_EQ(value_of(batch, "dkm/entropy:layers.0.mlp.down").value(), 1);
  for (const MetricPoint& point : batch.points) {
    EXPECT_NE(find_metric(point.metric), nullptr) << point.metric;
  }
  const PaletteSnapshot snapshot = witness.all<PaletteSnapshot>().at(0);
  EXPECT_EQ(snapshot.run, "run");
  EXPECT_EQ(snapshot.step, 4);
  EXPECT_EQ(snapshot.palettes->at(1).slot, "layers.0.mlp.down");
}

TEST(StepEvents, ProbesAreEachSlotsTheMeanAndTheLeast) {
  Witness witness;
  StepEvents events("run", 1, witness);
  events.probe(3, {});
  EXPECT_TRUE(witness.all<MetricBatch>().empty()) << "nothing of a run without projections";
  events.probe(4, {{"layers.0.mlp.down", 0.5, 0.8}, {"layers.1.mlp.down", 0.1, 0.4}});
  const MetricBatch batch = witness.all<MetricBatch>().at(0);
  EXPECT_EQ(batch.points.at(0).step, 4);
  EXPECT_DOUBLE_EQ(value_of(batch, "velora/kept_energy").value(), 0.3);
  EXPECT_DOUBLE_EQ(value_of(batch, "velora/kept_energy_min").value(), 0.1);
  EXPECT_DOUBLE_EQ(value_of(batch, "velora/cosine_min").value(), 0.4);
  EXPECT_DOUBLE_EQ(value_of(batch, "velora/cosine:layers.0.mlp.down").value(), 0.8);
  for (const MetricPoint& point : batch.points) {
    EXPECT_NE(find_metric(point.metric), nullptr) << point.metric;
  }
}

TEST(StepEvents, StepsThatChooseDirectionsTellWhatTheyKeep) {
  Witness witness;
  FakeDevice device;
  StepEvents events("run", 1, witness);
  StepReport report = report_of(1);
  events.step(report, nullptr, device);
  report.kept_energy = 0.7;
  events.step(report, nullptr, device);
  const auto batches = witness.all<MetricBatch>();
  EXPECT_FALSE(value_of(batches.at(0), "galore/kept_energy").has_value());
  EXPECT_EQ(value_of(batches.at(1), "galore/kept_energy"), 0.7);
  EXPECT_NE(find_metric("galore/kept_energy"), nullptr);
}

TEST(StepEvents, LedgerReserveAndDeviceAreThreeNumbers) {
  Witness witness;
  FakeDevice device;
  device.used = 9'000;
  StepEvents("run", 1, witness).step(report_of(1), nullptr, device);
  const MemorySample sample = witness.all<MemorySample>().at(0);
  EXPECT_EQ(sample.live.live_bytes, 1'000);
  EXPECT_EQ(sample.pool_bytes, 2'000);
  EXPECT_EQ(sample.device_used_bytes, 9'000);
  const MetricBatch batch = witness.all<MetricBatch>().at(0);
  EXPECT_EQ(value_of(batch, "mem/live_bytes"), 1'000);
  EXPECT_EQ(value_of(batch, "mem/pool_bytes"), 2'000);
  EXPECT_EQ(value_of(batch, "mem/device_used_bytes"), 9'000);
}

TEST(StepEvents, WhatNoDeviceTellsIsNotRecorded) {
  Witness witness;
  FakeDevice device;
  StepEvents("run", 1, witness).step(report_of(1), nullptr, device);
  EXPECT_EQ(witness.all<MemorySample>().at(0).device_used_bytes, std::nullopt);
  EXPECT_EQ(value_of(witness.all<MetricBatch>().at(0), "mem/device_used_bytes"), std::nullopt);
}

}  // namespace
}  // namespace lathe::experiments
