// Stores from before memory samples told what the device has in use: read, and continued.
#include "storage/columns.h"
#include "storage/open_database.h"
#include "tests/storage/store_fixture.h"
#include "tests/storage/store_v1.h"

namespace lathe::storage {
namespace {

using experiments::MemorySample;

constexpr const char* kRun = "aaaaaaaaaa";
constexpr std::size_t kOldColumns =
    22;  // step, time, pool, process, and twice 1 + 8 for the ledger
constexpr std::uint64_t kChunk = 1024;
constexpr std::uint64_t kTail = 10;

std::uint64_t peak_at(std::uint64_t step) {
  return step == 500 ? 1'000'000 : 1'000 + step % 7;
}

// The columns as version 2 wrote them, of one step.
std::vector<std::uint64_t> old_words(std::uint64_t step) {
  std::vector<std::uint64_t> words{step, step * 5, 4096, 8192};
  words.resize(kOldColumns);
  words[4] = 64;              // live
  words[5] = 64;              // of it weights
  words[13] = peak_at(step);  // peak
  words[17] = peak_at(step);  // of it activations
  return words;
}

class MemoryLayoutTest : public StoreTest {
 protected:
  MemoryLayoutTest() {
    Connection connection(file_, OpenMode::kReadWrite, std::chrono::seconds(1));
    connection.script(kStoreV1);
    connection.run("INSERT INTO series VALUES (2, 'memory samples')");
    insert(connection, 0, 1, kChunk, kChunk);
    insert(connection, 0, kChunk + 1, kChunk + kTail, kTail);
  }
  void insert(Connection& connection, std::int64_t level, std::uint64_t first, std::uint64_t last,
              std::uint64_t count) {
    Columns columns(kOldColumns);
    for (std::uint64_t step = first; step <= last; ++step) {
      const std::vector<std::uint64_t> words = old_words(step);
      for (std::size_t c = 0; c < kOldColumns; ++c) {
        columns[c].push_back(words[c]);
      }
    }
    const Bytes blob = encode_columns(columns);
    connection.run("INSERT INTO chunks VALUES (1, 2, ?, ?, ?, ?, ?, ?)",
                   {level, static_cast<std::int64_t>(first), static_cast<std::int64_t>(last),
                    static_cast<std::int64_t>(first) - 1, static_cast<std::int64_t>(count),
                    std::span<const std::byte>(blob)});
  }
  std::vector<MemorySample> samples(std::int64_t most = 1'000'000) {
    return value_of(catalog()->memory_samples(kRun, most));
  }
};

TEST_F(MemoryLayoutTest, OldSamplesAreReadAsTheyWere) {
  const std::vector<MemorySample> all = samples();
  ASSERT_EQ(all.size(), kChunk + kTail);
  const MemorySample& sample = all[499];
  EXPECT_EQ(sample.step, 500);
  EXPECT_EQ(sample.time_ms, 2'500);
  EXPECT_EQ(sample.pool_bytes, 4096);
  EXPECT_EQ(sample.process_bytes, 8192);
  EXPECT_EQ(sample.live.by_category[0], 64);
  EXPECT_EQ(sample.peak.live_bytes, 1'000'000);
  EXPECT_EQ(sample.peak.by_category[3], 1'000'000);
  EXPECT_EQ(sample.device_used_bytes, std::nullopt);
  expect_ok(check_store(file_));
}

TEST_F(MemoryLayoutTest, ARunThatGoesOnAddsNewSamplesToOldOnes) {
  constexpr std::int64_t kLast = 3 * kChunk;
  {
    auto writing = store();
    for (std::int64_t step = kChunk + 5; step <= kLast; ++step) {  // from within the old tail
      MemorySample sample;
      sample.run = kRun;
      sample.step = step;
      sample.peak.live_bytes = 2'000;
      sample.device_used_bytes = 7 * step;
      writing->on_event(sample);
    }
    expect_ok(writing->flush());
  }
  const std::vector<MemorySample> all = samples();
  ASSERT_EQ(all.size(), static_cast<std::size_t>(kLast));
  EXPECT_EQ(all[kChunk + 3].device_used_bytes, std::nullopt);
  EXPECT_EQ(all[kChunk + 3].peak.live_bytes, static_cast<std::int64_t>(peak_at(kChunk + 4)));
  EXPECT_EQ(all[kChunk + 4].device_used_bytes, 7 * (std::int64_t{kChunk} + 5));
  EXPECT_EQ(all.back().device_used_bytes, 7 * kLast);
  std::int64_t highest = 0;
  for (const MemorySample& kept : samples(50)) {
    highest = std::max(highest, kept.peak.live_bytes);
  }
  EXPECT_EQ(highest, 1'000'000);
}

// A program of the version before would take the new chunks for damaged ones: it is told.
TEST_F(MemoryLayoutTest, OlderProgramsAreTurnedAway) {
  store().reset();
  Connection connection(file_, OpenMode::kReadOnly, std::chrono::seconds(1));
  EXPECT_EQ(connection.text("SELECT value FROM meta WHERE key = 'readable_from'"), "3");
}

}  // namespace
}  // namespace lathe::storage
