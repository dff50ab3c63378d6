// The memory of the cpu back end: one range of addresses, committed as it fills; blocks by best
// fit, neighbours merged when freed. Pages are kept for reuse, because touching fresh ones at every
// step costs several per cent of it; what activations leave, gradients take.
#pragma once

#include <cstdint>
#include <map>
#include <set>
#include <utility>

#include "engine/tensor/allocator.h"

namespace lathe {

class Pool final : public MemorySource {
 public:
  // Reserves addresses for as much as the machine has; takes no memory yet.
  Pool();
  ~Pool() override;
  Pool(const Pool&) = delete;
  Pool& operator=(const Pool&) = delete;

  void* take(std::int64_t bytes) override;
  void give_back(void* data, std::int64_t bytes) noexcept override;
  // What is committed, live or free.
  std::int64_t pool_bytes() const override { return committed_; }
  std::size_t free_blocks() const { return by_address_.size(); }
  std::int64_t free_bytes() const;

 private:
  bool grow(std::int64_t bytes);
  void insert(char* at, std::int64_t bytes);
  void erase(std::map<char*, std::int64_t>::iterator block);

  char* base_ = nullptr;  // null where not even addresses can be had
  std::int64_t reserved_ = 0;
  std::int64_t committed_ = 0;
  std::map<char*, std::int64_t> by_address_;
  std::set<std::pair<std::int64_t, char*>> by_size_;
};

}  // namespace lathe
