// Where tensors get their memory: an abstract source of device bytes under the ledger. A back end
// brings its own source (a pool on the CPU, nothing at all on `meta`).
#pragma once

#include <cstdint>
#include <memory>
#include <stdexcept>
#include <string>

#include "engine/tensor/ledger.h"

namespace lathe {

// Thrown when a run cannot have the memory it asks for; the runner turns it into
// ErrorKind::kOutOfMemory.
class OutOfMemory : public std::runtime_error {
 public:
  OutOfMemory(std::int64_t wanted_bytes, const Tag& tag, std::int64_t held_bytes);
};

// Bytes of a device. Implementations: a pool (engine/backend/pool.h), meta (no memory).
class MemorySource {
 public:
  virtual ~MemorySource() = default;
  // At least `bytes` bytes aligned to 64, or nullptr when there is no more. Meta returns nullptr
  // and says so through holds_memory().
  virtual void* take(std::int64_t bytes) = 0;
  virtual void give_back(void* data, std::int64_t bytes) noexcept = 0;
  virtual bool holds_memory() const { return true; }
  // Bytes obtained from the system, live or kept for reuse.
  virtual std::int64_t pool_bytes() const = 0;
};

class Allocator;

// Sole owner of one block, or a share in mapped memory; gives it back, and tells the ledger, when
// it dies.
class Buffer {
 public:
  Buffer() = default;
  Buffer(Buffer&& other) noexcept;
  Buffer& operator=(Buffer&& other) noexcept;
  ~Buffer() { reset(); }

  void* data() const { return data_; }
  std::int64_t bytes() const { return bytes_; }
  void reset() noexcept;

 private:
  friend class Allocator;
  Allocator* allocator_ = nullptr;
  void* data_ = nullptr;
  std::int64_t bytes_ = 0;
  std::uint64_t block_ = 0;
  std::shared_ptr<const void> keeper_;  // of memory that is not the source's
};

// One per backend instance. Not thread-safe. Must outlive its buffers.
class Allocator {
 public:
  explicit Allocator(std::unique_ptr<MemorySource> source) : source_(std::move(source)) {}

  // A block of `bytes`, in the ledger rounded up to kGranule; contents are undefined. Throws
  // OutOfMemory, also when the live bytes would pass the limit.
  Buffer allocate(std::int64_t bytes, const Tag& tag);

  // Enters memory that lies in a mapped file: counted by the ledger as mapped, outside the limit,
  // read only. `keeper` lives as long as the buffer.
  Buffer adopt(const void* data, std::int64_t bytes, const Tag& tag,
               std::shared_ptr<const void> keeper);

  // Refuse to own more than this many live bytes; 0 means no limit.
  void set_limit_bytes(std::int64_t limit_bytes) { limit_bytes_ = limit_bytes; }

  Ledger& ledger() { return ledger_; }
  const Ledger& ledger() const { return ledger_; }
  std::int64_t pool_bytes() const { return source_->pool_bytes(); }
  // For the back end that brought it.
  MemorySource& source() { return *source_; }

 private:
  friend class Buffer;
  std::unique_ptr<MemorySource> source_;
  Ledger ledger_;
  std::int64_t limit_bytes_ = 0;
};

}  // namespace lathe
