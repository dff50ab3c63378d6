// Memory block by block from the system, each of the very size that was asked for, so that a memory
// checker sees every access beyond an end: for back ends that are there to be right, not fast.
#pragma once

#include <cstdint>

#include "engine/tensor/allocator.h"

namespace lathe {

class SystemMemory final : public MemorySource {
 public:
  void* take(std::int64_t bytes) override;
  void give_back(void* data, std::int64_t bytes) noexcept override;
  std::int64_t pool_bytes() const override { return held_bytes_; }

 private:
  std::int64_t held_bytes_ = 0;
};

}  // namespace lathe
