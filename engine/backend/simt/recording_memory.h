// The memory of the simulated device: the system's, but what recorded ops take and give back on
// their way stays with them, so that a memory checker sees what they reach for when they are issued
// again.
#pragma once

#include <cstddef>
#include <set>
#include <span>
#include <vector>

#include "engine/backend/system_memory.h"

namespace lathe::simt {

// Blocks of the system that go back when it dies.
class KeptBlocks {
 public:
  explicit KeptBlocks(SystemMemory& memory) : memory_(&memory) {}
  ~KeptBlocks();
  KeptBlocks(const KeptBlocks&) = delete;
  KeptBlocks& operator=(const KeptBlocks&) = delete;

  void add(void* data, std::int64_t bytes);
  // Every byte becomes 0xff, as floats NaN: what others may have left there in between.
  void spoil();

 private:
  SystemMemory* memory_;
  std::vector<std::span<std::byte>> blocks_;
};

class RecordingMemory final : public MemorySource {
 public:
  void* take(std::int64_t bytes) override;
  void give_back(void* data, std::int64_t bytes) noexcept override;
  std::int64_t pool_bytes() const override { return memory_.pool_bytes(); }

  // Blocks that are taken from now on go to `kept` when they are given back; null ends that.
  void keep_in(KeptBlocks* kept);
  // Blocks that were taken since keep_in() and not yet given back.
  std::size_t outstanding() const { return taken_.size(); }
  // Blocks that have not been given back, whenever they were taken.
  std::int64_t live_blocks() const { return live_blocks_; }
  SystemMemory& system() { return memory_; }

 private:
  SystemMemory memory_;
  KeptBlocks* kept_ = nullptr;
  std::int64_t live_blocks_ = 0;
  std::set<void*> taken_;
};

}  // namespace lathe::simt
