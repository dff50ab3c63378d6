// Batches of running text: what a row holds, and that (seed, step, micro) alone decide it.
#include "engine/data/batch_source.h"

#include <gtest/gtest.h>

#include <array>
#include <vector>

#include "tests/support/memory_tokens.h"

namespace lathe {
namespace {

constexpr BatchExtents kExtents{.batch = 3, .seq_len = 5, .grad_accum = 2};

// Each token is its own place in the stream, so that a row tells where it was taken from.
std::unique_ptr<BatchSource> counted_source(std::int64_t tokens) {
  std::vector<std::int32_t> stream;
  for (std::int32_t token = 0; token < tokens; ++token) {
    stream.push_back(token);
  }
  return make_batch_source(std::make_shared<test::MemoryTokens>(std::move(stream), tokens),
                           kExtents);
}

struct Rows {
  std::vector<std::int32_t> ids = std::vector<std::int32_t>(15, -7);
  std::vector<std::int32_t> targets = std::vector<std::int32_t>(15, -7);
  BatchRows view() { return {.ids = ids, .targets = targets, .positions = {}, .first_key = {}}; }
};

TEST(WindowBatches, ARowIsAWindowAndItsTargetsTheNextTokens) {
  const auto source = counted_source(100);
  EXPECT_FALSE(source->packs());
  EXPECT_EQ(source->train_targets(1, 0, 0), 15);
  Rows rows;
  source->train_rows(1, 4, 1, rows.view());
  for (std::size_t i = 0; i < 15; ++i) {
    EXPECT_EQ(rows.targets[i], rows.ids[i] + 1);
    EXPECT_TRUE(i % 5 == 0 || rows.ids[i] == rows.ids[i - 1] + 1) << "row " << i / 5;
  }
}

TEST(WindowBatches, SeedStepAndMicroAloneDecideTheRows) {
  Rows once;
  Rows again;
  counted_source(100000)->train_rows(1, 2, 1, once.view());
  const auto source = counted_source(100000);
  source->train_rows(1, 9, 0, again.view());
  source->train_rows(1, 2, 1, again.view());
  EXPECT_EQ(once.ids, again.ids);
  for (const auto& [seed, step, micro] : {std::array{2, 2, 1}, {1, 3, 1}, {1, 2, 0}}) {
    source->train_rows(static_cast<std::uint64_t>(seed), step, micro, again.view());
    EXPECT_NE(once.ids, again.ids) << seed << " " << step << " " << micro;
  }
}

TEST(WindowBatches, HeldOutWindowsLieOneAfterTheOther) {
  const auto source = counted_source(21);
  ASSERT_EQ(source->heldout_windows(), 4);
  Rows rows;
  source->heldout_rows(std::vector<std::int64_t>{0, 3, 1}, rows.view());
  EXPECT_EQ(rows.ids[0], 0);
  EXPECT_EQ(rows.ids[5], 15);
  EXPECT_EQ(rows.targets[9], 20);
  EXPECT_EQ(rows.ids[10], 5);
}

}  // namespace
}  // namespace lathe
