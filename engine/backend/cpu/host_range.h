// Addresses for as much memory as the machine has; takes none before it is committed.
#pragma once

#include "engine/backend/pool.h"

namespace lathe {

class HostRange final : public AddressRange {
 public:
  HostRange();
  ~HostRange() override;
  HostRange(const HostRange&) = delete;
  HostRange& operator=(const HostRange&) = delete;

  char* base() const override { return base_; }
  std::int64_t reserved_bytes() const override { return reserved_; }
  bool commit(char* at, std::int64_t bytes) override;

 private:
  char* base_ = nullptr;
  std::int64_t reserved_ = 0;
};

}  // namespace lathe
