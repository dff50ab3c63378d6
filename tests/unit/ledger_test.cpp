// The ledger: sums, peak with its phase, the time line, and what each layer holds.
#include "engine/tensor/ledger.h"

#include <gtest/gtest.h>

namespace lathe {
namespace {

const Tag kWeight{Category::kWeights, "layers.0.q", "weight"};
const Tag kInput{Category::kActivations, "layers.0.q", "x"};
const Tag kGate{Category::kActivations, "layers.1.mlp", "gate"};

TEST(Ledger, PeakIsTheLargestSumAndKnowsItsPhase) {
  Ledger ledger;
  ledger.set_phase("setup");
  ledger.take(128, kWeight);
  ledger.set_phase("forward layers.0");
  const std::uint64_t input = ledger.take(256, kInput);
  ledger.set_phase("backward layers.0");
  ledger.give_back(input);
  ledger.take(64, kGate);
  EXPECT_EQ(ledger.live().live_bytes, 192);
  EXPECT_EQ(ledger.peak().live_bytes, 384);
  EXPECT_EQ(ledger.peak_phase(), "forward layers.0");
  EXPECT_EQ(ledger.peak().by_category[static_cast<std::size_t>(Category::kWeights)], 128);
  EXPECT_EQ(ledger.peak().by_category[static_cast<std::size_t>(Category::kActivations)], 256);
}

TEST(Ledger, PeakStartsAnewFromWhatIsAlive) {
  Ledger ledger;
  const std::uint64_t input = ledger.take(256, kInput);
  ledger.take(64, kWeight);
  ledger.give_back(input);
  ledger.reset_peak();
  EXPECT_EQ(ledger.peak().live_bytes, 64);
  ledger.take(128, kGate);
  EXPECT_EQ(ledger.peak().live_bytes, 192);
}

TEST(Ledger, TimeLineHoldsTakesAndReturnsWhileRecording) {
  Ledger ledger;
  ledger.take(64, kWeight);
  ledger.start_time_line();
  const std::uint64_t input = ledger.take(256, kInput);
  ledger.give_back(input);
  ledger.stop_time_line();
  ledger.take(64, kGate);
  ASSERT_EQ(ledger.time_line().size(), 2u);
  const LedgerEvent& taken = ledger.time_line()[0];
  const LedgerEvent& given = ledger.time_line()[1];
  EXPECT_EQ(taken.bytes, 256);
  EXPECT_EQ(taken.live_bytes, 320);
  EXPECT_EQ(given.bytes, -256);
  EXPECT_EQ(given.live_bytes, 64);
  EXPECT_EQ(taken.block, given.block);
  EXPECT_EQ(ledger.tags()[static_cast<std::size_t>(taken.tag)].layer, "layers.0.q");
  ledger.start_time_line();
  EXPECT_TRUE(ledger.time_line().empty());
}

TEST(Ledger, PeakByLayerCountsWhatWasThereBeforeRecording) {
  Ledger ledger;
  ledger.take(64, kWeight);
  ledger.start_time_line();
  const std::uint64_t first = ledger.take(256, kInput);
  ledger.take(128, kInput);
  ledger.give_back(first);
  ledger.take(192, kGate);
  ledger.stop_time_line();
  const std::vector<LayerBytes> peak = ledger.peak_by_layer();
  ASSERT_EQ(peak.size(), 2u);
  EXPECT_EQ(peak[0].layer, "layers.0.q");
  EXPECT_EQ(peak[0].category, Category::kWeights);
  EXPECT_EQ(peak[0].bytes, 64);
  EXPECT_EQ(peak[1].category, Category::kActivations);
  EXPECT_EQ(peak[1].bytes, 384);
  const std::vector<LayerBytes> live = ledger.live_by_layer();
  ASSERT_EQ(live.size(), 3u);
  EXPECT_EQ(live[1].bytes, 128);
  EXPECT_EQ(live[2].layer, "layers.1.mlp");
  EXPECT_EQ(live[2].bytes, 192);
}

TEST(LedgerDeathTest, ABlockIsGivenBackOnce) {
  Ledger ledger;
  const std::uint64_t block = ledger.take(64, kWeight);
  ledger.give_back(block);
  EXPECT_DEATH(ledger.give_back(block), "given back once");
}

}  // namespace
}  // namespace lathe
