// Buffers: rounding, the limit, memory that is not there, and who owns what after a move.
#include "engine/tensor/allocator.h"

#include <gtest/gtest.h>

#include <cstdlib>
#include <vector>

#include "engine/tensor/tensor.h"

namespace lathe {
namespace {

// Gives at most `budget` bytes and counts what is out.
class CountingMemory final : public MemorySource {
 public:
  explicit CountingMemory(std::int64_t budget) : budget_(budget) {}
  void* take(std::int64_t bytes) override {
    if (out_ + bytes > budget_) {
      return nullptr;
    }
    out_ += bytes;
    return std::malloc(static_cast<std::size_t>(bytes));
  }
  void give_back(void* data, std::int64_t bytes) noexcept override {
    out_ -= bytes;
    std::free(data);
  }
  std::int64_t pool_bytes() const override { return out_; }

 private:
  std::int64_t budget_;
  std::int64_t out_ = 0;
};

const Tag kTag{Category::kActivations, "layers.3.attention", "q"};

TEST(Allocator, RoundsUpInTheLedgerAlone) {
  Allocator allocator(std::make_unique<CountingMemory>(1 << 20));
  {
    const Buffer buffer = allocator.allocate(65, kTag);
    EXPECT_EQ(buffer.bytes(), 65);
    EXPECT_EQ(allocator.ledger().live().live_bytes, 128);
    EXPECT_EQ(allocator.pool_bytes(), 65);
  }
  EXPECT_EQ(allocator.ledger().live().live_bytes, 0);
  EXPECT_EQ(allocator.pool_bytes(), 0);
}

TEST(Allocator, NothingIsABlockWithoutMemory) {
  Allocator allocator(std::make_unique<CountingMemory>(1 << 20));
  const Tensor empty(allocator, DType::kF32, Shape{0, 7}, kTag);
  EXPECT_TRUE(empty.defined());
  EXPECT_EQ(empty.ref().data, nullptr);
  EXPECT_EQ(allocator.pool_bytes(), 0);
}

TEST(Allocator, RefusesBeyondTheLimitAndSaysWhatFor) {
  Allocator allocator(std::make_unique<CountingMemory>(1 << 20));
  allocator.set_limit_bytes(256);
  const Buffer first = allocator.allocate(192, kTag);
  try {
    allocator.allocate(128, kTag);
    FAIL() << "no OutOfMemory";
  } catch (const OutOfMemory& error) {
    const std::string text = error.what();
    EXPECT_NE(text.find("128 bytes"), std::string::npos);
    EXPECT_NE(text.find("layers.3.attention.q"), std::string::npos);
    EXPECT_NE(text.find("192 bytes held"), std::string::npos);
  }
  EXPECT_EQ(allocator.ledger().live().live_bytes, 192);
  allocator.allocate(64, kTag);
}

TEST(Allocator, MissingMemoryLeavesTheLedgerAsItWas) {
  Allocator allocator(std::make_unique<CountingMemory>(100));
  EXPECT_THROW(allocator.allocate(128, kTag), OutOfMemory);
  EXPECT_EQ(allocator.ledger().live().live_bytes, 0);
}

TEST(Allocator, AMoveKeepsOneOwner) {
  Allocator allocator(std::make_unique<CountingMemory>(1 << 20));
  Tensor first(allocator, DType::kF32, Shape{16}, kTag);
  void* data = first.ref().data;
  Tensor second = std::move(first);
  EXPECT_FALSE(first.defined());
  EXPECT_EQ(second.ref().data, data);
  EXPECT_EQ(allocator.ledger().live().live_bytes, 64);
  second = Tensor(allocator, DType::kF32, Shape{64}, kTag);
  EXPECT_EQ(allocator.ledger().live().live_bytes, 256);
  second.reset();
  second.reset();
  EXPECT_EQ(allocator.ledger().live().live_bytes, 0);
  EXPECT_EQ(allocator.pool_bytes(), 0);
}

TEST(Allocator, MappedMemoryIsCountedApartAndReleased) {
  Allocator allocator(std::make_unique<CountingMemory>(256));
  const auto file = std::make_shared<std::vector<float>>(100, 2.5f);
  allocator.set_limit_bytes(256);
  {
    const Tensor view(allocator, DType::kF32, Shape{10, 10}, kTag, file->data(), file);
    EXPECT_EQ(file.use_count(), 2);
    EXPECT_EQ(view.ref().f32()[99], 2.5f);
    const Tensor own(allocator, DType::kF32, Shape{64}, kTag);
    const LedgerSnapshot& live = allocator.ledger().live();
    EXPECT_EQ(live.live_bytes, 400 + 256);
    EXPECT_EQ(live.mapped_bytes, 400);
    EXPECT_EQ(live.owned_bytes(), 256);
    EXPECT_EQ(live.by_category[static_cast<std::size_t>(kTag.category)], 400 + 256);
  }
  EXPECT_EQ(file.use_count(), 1);
  EXPECT_EQ(allocator.ledger().live().live_bytes, 0);
  EXPECT_EQ(allocator.ledger().live().mapped_bytes, 0);
}

}  // namespace
}  // namespace lathe
