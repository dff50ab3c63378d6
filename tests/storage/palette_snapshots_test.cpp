// Snapshots of palettes in the store: what goes in comes out, a run that goes back takes them
// again, and damage is told.
#include <chrono>

#include "storage/sqlite/connection.h"
#include "tests/storage/store_fixture.h"

namespace lathe::storage {
namespace {

using namespace experiments;

constexpr const char* kRun = "aaaaaaaaaa";

class PaletteSnapshotsTest : public StoreTest {
 protected:
  PaletteSnapshotsTest() : store_(store()) { record({created(kRun), started(kRun)}); }

  void record(const std::vector<Event>& events) {
    for (const Event& event : events) {
      store_->on_event(event);
    }
    expect_ok(store_->flush());
  }

  std::unique_ptr<RunStore> store_;
};

PaletteSnapshot palettes_at(std::int64_t step, float centroid) {
  std::vector<PaletteView> views(2);
  views[0].slot = "layers.0.mlp.up";
  views[0].weights = 64;
  views[0].clusters = 2;
  views[0].distinct = 9;
  views[0].lowest = -0.25;
  views[0].histogram.assign(kPaletteBins, 3);
  views[0].centroids = {centroid, 1};
  views[0].uses = {60, 4};
  views[0].entropy_bits = 0.3;
  views[1] = views[0];
  views[1].slot = "layers.0.mlp.down";
  views[1].dim = 2;
  views[1].palettes = 9;  // of which four are shown
  views[1].centroids.assign(16, 0.5f);
  views[1].uses.assign(8, 7);
  views[1].soft_hard_distance = 0.125;
  return {kRun, step, std::make_shared<const std::vector<PaletteView>>(views)};
}

TEST_F(PaletteSnapshotsTest, ComeBackAsTheyWere) {
  record({palettes_at(0, -1), palettes_at(10, -2), palettes_at(10, -3), palettes_at(20, -4)});
  const auto all = value_of(catalog()->palette_snapshots(kRun, -1));
  ASSERT_EQ(all.size(), 3u);
  EXPECT_EQ(all[1].run, kRun);
  EXPECT_EQ(all[1].step, 10);
  const PaletteView& up = all[1].palettes->at(0);
  EXPECT_EQ(up.centroids, (std::vector<float>{-3, 1})) << "the later one of a step";
  EXPECT_EQ(up.uses, (std::vector<std::int64_t>{60, 4}));
  EXPECT_EQ(up.histogram, std::vector<std::int64_t>(kPaletteBins, 3));
  EXPECT_EQ(up.slot, "layers.0.mlp.up");
  EXPECT_EQ(up.weights, 64);
  EXPECT_EQ(up.distinct, 9);
  EXPECT_EQ(up.lowest, -0.25);
  EXPECT_EQ(up.entropy_bits, 0.3);
  const PaletteView& down = all[1].palettes->at(1);
  EXPECT_EQ(down.palettes, 9);
  EXPECT_EQ(down.dim, 2);
  EXPECT_EQ(down.centroids, std::vector<float>(16, 0.5f));
  EXPECT_EQ(down.uses, std::vector<std::int64_t>(8, 7));
  EXPECT_EQ(down.soft_hard_distance, 0.125);
  EXPECT_EQ(value_of(catalog()->palette_snapshots(kRun, 10)).size(), 1u);
  EXPECT_TRUE(value_of(catalog()->palette_snapshots("bbbbbbbbbb", -1)).empty());
  // A run that goes on from an older step takes the later ones again.
  record({started(kRun, 2, 10)});
  EXPECT_EQ(value_of(catalog()->palette_snapshots(kRun, -1)).size(), 2u);
}

TEST_F(PaletteSnapshotsTest, ADamagedOneIsTold) {
  record({palettes_at(0, -1)});
  store_.reset();
  for (const char* damage :
       {"palettes = '[[1]]'", "palettes = '7'", "palettes = replace(palettes, '64,2,', '64,300,')",
        "palettes = replace(palettes, '64,2,', '64,3,')", "centroids = x'00'",
        "histograms = centroids"}) {
    Connection(file_, OpenMode::kReadWrite, std::chrono::seconds(1))
        .script(std::string("CREATE TABLE IF NOT EXISTS kept AS SELECT * FROM palette_snapshots;"
                            "DELETE FROM palette_snapshots;"
                            "INSERT INTO palette_snapshots SELECT * FROM kept;"
                            "UPDATE palette_snapshots SET ") +
                damage);
    const auto read = catalog()->palette_snapshots(kRun, -1);
    ASSERT_FALSE(read.ok()) << damage;
    EXPECT_EQ(read.error().kind, ErrorKind::kStore) << damage;
  }
}

}  // namespace
}  // namespace lathe::storage
