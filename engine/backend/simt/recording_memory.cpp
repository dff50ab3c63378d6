// See recording_memory.h.
#include "engine/backend/simt/recording_memory.h"

#include <algorithm>

namespace lathe::simt {

KeptBlocks::~KeptBlocks() {
  for (const std::span<std::byte> block : blocks_) {
    memory_->give_back(block.data(), static_cast<std::int64_t>(block.size()));
  }
}

void KeptBlocks::add(void* data, std::int64_t bytes) {
  blocks_.emplace_back(static_cast<std::byte*>(data), static_cast<std::size_t>(bytes));
}

void KeptBlocks::spoil() {
  for (const std::span<std::byte> block : blocks_) {
    std::fill(block.begin(), block.end(), std::byte{0xff});
  }
}

void* RecordingMemory::take(std::int64_t bytes) {
  void* const data = memory_.take(bytes);
  live_blocks_ += data != nullptr ? 1 : 0;
  if (kept_ != nullptr && data != nullptr) {
    taken_.insert(data);
  }
  return data;
}

void RecordingMemory::give_back(void* data, std::int64_t bytes) noexcept {
  --live_blocks_;
  if (kept_ != nullptr && taken_.erase(data) > 0) {
    kept_->add(data, bytes);
    return;
  }
  memory_.give_back(data, bytes);
}

void RecordingMemory::keep_in(KeptBlocks* kept) {
  kept_ = kept;
  taken_.clear();
}

}  // namespace lathe::simt
