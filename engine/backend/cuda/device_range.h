// Addresses for all of a device's memory, through the driver's virtual memory management: the pool
// above them grows page by page and its blocks never have to be copied or stranded.
#pragma once

#include <cuda.h>

#include <vector>

#include "engine/backend/pool.h"

namespace lathe::cuda {

class DeviceRange final : public AddressRange {
 public:
  // For the current device. Throws DeviceError.
  explicit DeviceRange(int device);
  ~DeviceRange() override;
  DeviceRange(const DeviceRange&) = delete;
  DeviceRange& operator=(const DeviceRange&) = delete;

  char* base() const override { return base_; }
  std::int64_t reserved_bytes() const override { return reserved_; }
  bool commit(char* at, std::int64_t bytes) override;

 private:
  struct Part {
    char* at;
    std::size_t bytes;
  };

  int device_;
  char* base_ = nullptr;
  std::int64_t reserved_ = 0;
  std::vector<Part> parts_;
};

}  // namespace lathe::cuda
