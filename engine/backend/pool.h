// The memory of the back ends that compute: one range of addresses, committed as it fills; blocks
// by best fit, neighbours merged when freed. What was committed is kept for reuse, because fresh
// memory costs several per cent of a step; what activations leave, gradients take.
#pragma once

#include <cstdint>
#include <map>
#include <memory>
#include <set>
#include <utility>
#include <vector>

#include "engine/tensor/allocator.h"

namespace lathe {

// Addresses in a row, of which the first part has memory behind it.
class AddressRange {
 public:
  virtual ~AddressRange() = default;
  virtual char* base() const = 0;  // null where not even addresses can be had
  virtual std::int64_t reserved_bytes() const = 0;
  // Puts memory behind [at, at + bytes), whole pages that follow what has some already; false where
  // there is no more.
  virtual bool commit(char* at, std::int64_t bytes) = 0;
};

class Pool final : public MemorySource {
 public:
  // Memory is committed in multiples of this, the page of a device and the huge page of a host.
  static constexpr std::int64_t kPageBytes = 2 << 20;

  explicit Pool(std::unique_ptr<AddressRange> range) : range_(std::move(range)) {}

  void* take(std::int64_t bytes) override;
  void give_back(void* data, std::int64_t bytes) noexcept override;
  // What is committed, live or free.
  std::int64_t pool_bytes() const override { return committed_; }
  std::size_t free_blocks() const { return by_address_.size(); }
  std::int64_t free_bytes() const;

  // Addresses from `at` on.
  struct Stretch {
    char* at;
    std::int64_t bytes;
  };
  // Notes the blocks that are taken until stop_noting(), which tells them as stretches without
  // gaps.
  void start_noting();
  std::vector<Stretch> stop_noting();
  // Whether no block that is live lies in any of them.
  bool are_free(const std::vector<Stretch>& stretches) const;

 private:
  bool grow(std::int64_t bytes);
  void insert(char* at, std::int64_t bytes);
  void erase(std::map<char*, std::int64_t>::iterator block);

  std::unique_ptr<AddressRange> range_;
  std::int64_t committed_ = 0;
  bool noting_ = false;
  std::vector<Stretch> noted_;
  std::map<char*, std::int64_t> by_address_;
  std::set<std::pair<std::int64_t, char*>> by_size_;
};

}  // namespace lathe
