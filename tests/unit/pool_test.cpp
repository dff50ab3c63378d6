// The pool: blocks never overlap, freed neighbours merge, and memory is kept for reuse.
#include "engine/backend/pool.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <cstring>

#include "engine/backend/cpu/host_range.h"
#include "engine/base/rng.h"

namespace lathe {
namespace {

struct Taken {
  char* data;
  std::int64_t bytes;
  char mark;
};

bool holds_mark(const Taken& taken) {
  return std::all_of(taken.data, taken.data + taken.bytes,
                     [&](char byte) { return byte == taken.mark; });
}

// Each block is filled with a mark of its own; a block that overlaps another spoils its mark.
TEST(Pool, RandomTakesAndReturnsNeverOverlap) {
  Pool pool(std::make_unique<HostRange>());
  Rng rng(3, 0);
  std::vector<Taken> live;
  for (int round = 0; round < 4000; ++round) {
    if (live.empty() || rng.next_below(100) < 52) {
      const auto bytes = static_cast<std::int64_t>(1 + rng.next_below(1u << rng.next_below(18)));
      const Taken taken{static_cast<char*>(pool.take(bytes)), bytes,
                        static_cast<char>(round % 127)};
      ASSERT_NE(taken.data, nullptr);
      ASSERT_EQ(reinterpret_cast<std::uintptr_t>(taken.data) % 64, 0u);
      std::memset(taken.data, taken.mark, static_cast<std::size_t>(bytes));
      live.push_back(taken);
    } else {
      const std::size_t victim = rng.next_below(live.size());
      ASSERT_TRUE(holds_mark(live[victim])) << "in round " << round;
      pool.give_back(live[victim].data, live[victim].bytes);
      live[victim] = live.back();
      live.pop_back();
    }
  }
  for (const Taken& taken : live) {
    EXPECT_TRUE(holds_mark(taken));
    pool.give_back(taken.data, taken.bytes);
  }
  EXPECT_EQ(pool.free_blocks(), 1u);
  EXPECT_EQ(pool.free_bytes(), pool.pool_bytes());
}

// What a recorded step relies on: its passing memory is free whenever it is issued again.
TEST(Pool, NotedBlocksAreFreeUntilAnotherTakesOne) {
  Pool pool(std::make_unique<HostRange>());
  void* const before = pool.take(128);
  pool.start_noting();
  void* const first = pool.take(1000);
  void* const second = pool.take(64);
  pool.give_back(first, 1000);
  void* const third = pool.take(500);
  pool.give_back(second, 64);
  pool.give_back(third, 500);
  const auto noted = pool.stop_noting();
  ASSERT_EQ(noted.size(), 1u) << "they lie side by side";
  EXPECT_EQ(noted[0].at, first);
  EXPECT_EQ(noted[0].bytes, 1024 + 64);
  EXPECT_TRUE(pool.are_free(noted));
  void* const passing = pool.take(64);
  EXPECT_EQ(passing, first);
  EXPECT_FALSE(pool.are_free(noted));
  pool.give_back(passing, 64);
  EXPECT_TRUE(pool.are_free(noted));
  pool.give_back(before, 128);
  EXPECT_TRUE(pool.are_free(noted)) << "as part of a larger free block";
}

TEST(Pool, FreedNeighboursMergeInAnyOrder) {
  for (const auto& order : {std::array{0, 1, 2, 3}, {3, 2, 1, 0}, {1, 3, 0, 2}, {2, 0, 3, 1}}) {
    Pool pool(std::make_unique<HostRange>());
    std::array<void*, 4> blocks{};
    for (void*& block : blocks) {
      block = pool.take(1000);
    }
    for (const int i : order) {
      pool.give_back(blocks[static_cast<std::size_t>(i)], 1000);
    }
    EXPECT_EQ(pool.free_blocks(), 1u);
  }
}

TEST(Pool, WhatWasFreedIsTakenAgain) {
  Pool pool(std::make_unique<HostRange>());
  void* first = pool.take(3 << 20);
  const std::int64_t held = pool.pool_bytes();
  pool.give_back(first, 3 << 20);
  for (int i = 0; i < 100; ++i) {
    void* again = pool.take(3 << 20);
    EXPECT_EQ(again, first);
    pool.give_back(again, 3 << 20);
  }
  EXPECT_EQ(pool.pool_bytes(), held);
}

TEST(Pool, TheBestFitIsTaken) {
  Pool pool(std::make_unique<HostRange>());
  void* large = pool.take(4096);
  void* between = pool.take(64);
  void* small = pool.take(1024);
  void* after = pool.take(64);
  pool.give_back(large, 4096);
  pool.give_back(small, 1024);
  EXPECT_EQ(pool.take(1000), small);
  pool.give_back(between, 64);
  pool.give_back(after, 64);
}

TEST(Pool, WithoutMemoryThereIsNoBlock) {
  Pool pool(std::make_unique<HostRange>());
  EXPECT_EQ(pool.take(std::int64_t{1} << 46), nullptr);
  EXPECT_EQ(pool.pool_bytes(), 0);
  EXPECT_NE(pool.take(64), nullptr);
}

}  // namespace
}  // namespace lathe
