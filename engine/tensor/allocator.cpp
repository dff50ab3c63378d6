// Buffers: memory from the source, entry in the ledger.
#include "engine/tensor/allocator.h"

#include <utility>

#include "engine/base/check.h"

namespace lathe {

OutOfMemory::OutOfMemory(std::int64_t wanted_bytes, const Tag& tag, std::int64_t held_bytes)
    : std::runtime_error("out of memory: " + std::to_string(wanted_bytes) + " bytes for " +
                         tag.layer + (tag.layer.empty() ? "" : ".") + tag.name + " (" +
                         std::string(kCategoryNames[static_cast<std::size_t>(tag.category)]) +
                         ") on top of " + std::to_string(held_bytes) + " bytes held") {}

Buffer::Buffer(Buffer&& other) noexcept
    : allocator_(std::exchange(other.allocator_, nullptr)),
      data_(std::exchange(other.data_, nullptr)),
      bytes_(std::exchange(other.bytes_, 0)),
      block_(other.block_),
      keeper_(std::move(other.keeper_)) {}

Buffer& Buffer::operator=(Buffer&& other) noexcept {
  if (this != &other) {
    reset();
    allocator_ = std::exchange(other.allocator_, nullptr);
    data_ = std::exchange(other.data_, nullptr);
    bytes_ = std::exchange(other.bytes_, 0);
    block_ = other.block_;
    keeper_ = std::move(other.keeper_);
  }
  return *this;
}

void Buffer::reset() noexcept {
  if (allocator_ == nullptr) {
    return;
  }
  allocator_->ledger_.give_back(block_);
  if (keeper_ != nullptr) {
    keeper_.reset();
  } else if (data_ != nullptr) {
    allocator_->source_->give_back(data_, bytes_);
  }
  allocator_ = nullptr;
  data_ = nullptr;
  bytes_ = 0;
}

Buffer Allocator::allocate(std::int64_t bytes, const Tag& tag) {
  const std::int64_t rounded = (bytes + kGranule - 1) / kGranule * kGranule;
  const std::int64_t held = ledger_.live().owned_bytes();
  if (limit_bytes_ > 0 && held + rounded > limit_bytes_) {
    throw OutOfMemory(rounded, tag, held);
  }
  Buffer buffer;
  if (rounded > 0) {
    buffer.data_ = source_->take(bytes);
    if (buffer.data_ == nullptr && source_->holds_memory()) {
      throw OutOfMemory(rounded, tag, held);
    }
  }
  buffer.block_ = ledger_.take(rounded, tag);
  buffer.allocator_ = this;
  buffer.bytes_ = bytes;
  return buffer;
}

Buffer Allocator::adopt(const void* data, std::int64_t bytes, const Tag& tag,
                        std::shared_ptr<const void> keeper) {
  CHECK(keeper != nullptr, "adopted memory has a keeper");
  Buffer buffer;
  // Ops take one kind of reference; that they do not write to inputs is what conformance shows.
  buffer.data_ = source_->holds_memory() ? const_cast<void*>(data) : nullptr;
  buffer.block_ = ledger_.take(bytes, tag, BlockKind::kMapped);
  buffer.allocator_ = this;
  buffer.bytes_ = bytes;
  buffer.keeper_ = std::move(keeper);
  return buffer;
}

}  // namespace lathe
