// The memory of the cpu back end: slabs from the system, blocks by best fit, neighbours merged when
// freed. Pages are kept for reuse, because touching fresh ones at every step costs several per cent
// of it; what activations leave, gradients take.
#pragma once

#include <cstdint>
#include <map>
#include <set>
#include <utility>
#include <vector>

#include "engine/tensor/allocator.h"

namespace lathe {

class Pool final : public MemorySource {
 public:
  Pool() = default;
  ~Pool() override;
  Pool(const Pool&) = delete;
  Pool& operator=(const Pool&) = delete;

  void* take(std::int64_t bytes) override;
  void give_back(void* data, std::int64_t bytes) noexcept override;
  // Sum of the slabs.
  std::int64_t pool_bytes() const override { return pool_bytes_; }
  std::size_t slabs() const { return slabs_.size(); }
  std::size_t free_blocks() const { return by_address_.size(); }
  std::int64_t free_bytes() const;

 private:
  bool grow(std::int64_t bytes);
  void insert(char* at, std::int64_t bytes);
  void erase(std::map<char*, std::int64_t>::iterator block);

  struct Slab {
    void* data;
    std::int64_t bytes;
  };
  std::vector<Slab> slabs_;
  std::map<char*, std::int64_t> by_address_;
  std::set<std::pair<std::int64_t, char*>> by_size_;
  std::int64_t pool_bytes_ = 0;
};

}  // namespace lathe
