// Packed samples: every one once an epoch, kept apart, in an order that the seed decides.
#include <gtest/gtest.h>

#include <algorithm>
#include <map>
#include <vector>

#include "engine/data/batch_source.h"
#include "tests/support/memory_samples.h"

namespace lathe {
namespace {

constexpr std::int64_t kSamples = 50;
constexpr BatchExtents kExtents{.batch = 2, .seq_len = 16, .grad_accum = 3};

struct Rows {
  explicit Rows(std::int64_t count) {
    for (auto* column : {&ids, &targets, &positions, &first_key}) {
      column->assign(static_cast<std::size_t>(count * kExtents.seq_len), -9);
    }
  }
  BatchRows view() { return {ids, targets, positions, first_key}; }
  bool operator==(const Rows&) const = default;
  std::vector<std::int32_t> ids, targets, positions, first_key;
};

std::vector<test::IdSample> samples() {
  return test::learnable_samples(kSamples, 12, 1000);
}

std::unique_ptr<BatchSource> source() {
  return make_batch_source(std::make_shared<test::MemorySamples>(samples(), 1000), kExtents);
}

Rows training_rows(BatchSource& from, std::uint64_t seed, std::int64_t step, std::int64_t micro) {
  Rows rows(kExtents.batch);
  from.train_rows(seed, step, micro, rows.view());
  return rows;
}

// Takes rows apart again; each sample found must be whole and at its own positions.
void collect(const Rows& rows, std::vector<std::int32_t>& found) {
  const std::vector<test::IdSample> all = samples();
  const auto length = static_cast<std::size_t>(kExtents.seq_len);
  for (std::size_t begin = 0; begin < rows.ids.size(); begin += length) {
    for (std::size_t at = 0; at < length;) {
      ASSERT_EQ(rows.first_key[begin + at], static_cast<std::int32_t>(at)) << "a sample begins";
      std::size_t end = at;
      bool is_padding = true;
      while (end < length && rows.first_key[begin + end] == static_cast<std::int32_t>(at)) {
        ASSERT_EQ(rows.positions[begin + end], static_cast<std::int32_t>(end - at));
        is_padding = is_padding && rows.targets[begin + end] == kIgnoredTarget;
        ++end;
      }
      if (is_padding) {
        ASSERT_EQ(end, length) << "only the rest of a row is padding";
      } else {
        const std::int32_t number = rows.ids[begin + at];
        const test::IdSample& sample = all[static_cast<std::size_t>(number)];
        ASSERT_EQ(end - at, sample.ids.size() - 1);
        for (std::size_t i = 0; i + 1 < sample.ids.size(); ++i) {
          ASSERT_EQ(rows.ids[begin + at + i], sample.ids[i]);
          ASSERT_EQ(rows.targets[begin + at + i],
                    i + 1 < sample.asked ? kIgnoredTarget : sample.ids[i + 1]);
        }
        found.push_back(number);
      }
      at = end;
    }
  }
}

TEST(PackedBatches, EverySampleComesOnceAnEpoch) {
  const auto from = source();
  ASSERT_TRUE(from->packs());
  std::vector<std::int32_t> found;
  for (std::int64_t step = 0; step < 60; ++step) {
    for (std::int64_t micro = 0; micro < kExtents.grad_accum; ++micro) {
      collect(training_rows(*from, 1, step, micro), found);
    }
  }
  ASSERT_GT(found.size(), static_cast<std::size_t>(10 * kSamples));
  std::vector<std::int32_t> former;
  for (auto begin = found.begin(); found.end() - begin >= kSamples; begin += kSamples) {
    const std::vector<std::int32_t> order(begin, begin + kSamples);
    EXPECT_NE(order, former) << "each epoch has an order of its own";
    former = order;
    std::vector<std::int32_t> epoch = order;
    std::sort(epoch.begin(), epoch.end());
    for (std::int32_t number = 0; number < kSamples; ++number) {
      ASSERT_EQ(epoch[static_cast<std::size_t>(number)], number);
    }
  }
}

TEST(PackedBatches, SeveralSamplesShareARow) {
  const auto from = source();
  std::int64_t tokens = 0;
  for (const test::IdSample& sample : samples()) {
    tokens += static_cast<std::int64_t>(sample.ids.size()) - 1;
  }
  EXPECT_LT(from->heldout_windows(), kSamples * 3 / 4);
  EXPECT_LE(tokens, from->heldout_windows() * kExtents.seq_len);
}

TEST(PackedBatches, SeedStepAndMicroAloneDecideTheRows) {
  const auto steady = source();
  std::map<std::int64_t, Rows> in_order;
  for (std::int64_t step = 0; step < 30; ++step) {
    in_order.emplace(step, training_rows(*steady, 4, step, 1));
  }
  const auto jumping = source();
  for (const std::int64_t step : {29, 3, 11, 12, 0, 28}) {  // over epochs, forth and back
    EXPECT_EQ(training_rows(*jumping, 4, step, 1), in_order.at(step)) << "step " << step;
  }
  EXPECT_FALSE(training_rows(*jumping, 5, 3, 1) == in_order.at(3)) << "another seed";
  EXPECT_EQ(training_rows(*jumping, 4, 3, 1), in_order.at(3)) << "and back";
}

TEST(PackedBatches, TargetsAreCountedBeforehand) {
  const auto from = source();
  for (std::int64_t step = 0; step < 20; ++step) {
    const std::int64_t told = from->train_targets(2, step, 2);
    const Rows rows = training_rows(*from, 2, step, 2);
    EXPECT_EQ(told, std::count_if(rows.targets.begin(), rows.targets.end(),
                                  [](std::int32_t target) { return target != kIgnoredTarget; }));
    EXPECT_GT(told, 0);
  }
}

TEST(PackedBatches, HeldOutWindowsHoldEverySampleOnce) {
  const auto from = source();
  std::vector<std::int32_t> found;
  for (std::int64_t window = 0; window < from->heldout_windows(); ++window) {
    Rows rows(1);
    from->heldout_rows(std::vector<std::int64_t>{window}, rows.view());
    collect(rows, found);
  }
  ASSERT_EQ(found.size(), static_cast<std::size_t>(kSamples));
  for (std::int32_t number = 0; number < kSamples; ++number) {
    EXPECT_EQ(found[static_cast<std::size_t>(number)], number) << "in the corpus' order";
  }
}

}  // namespace
}  // namespace lathe
