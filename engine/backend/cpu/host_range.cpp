// Pages of the system, reserved by mmap and committed by mprotect, huge where the system has them.
#include "engine/backend/cpu/host_range.h"

#include <sys/mman.h>
#include <unistd.h>

namespace lathe {
namespace {

std::int64_t machine_bytes() {
  const std::int64_t bytes =
      static_cast<std::int64_t>(sysconf(_SC_PHYS_PAGES)) * sysconf(_SC_PAGESIZE);
  return (bytes + Pool::kPageBytes - 1) / Pool::kPageBytes * Pool::kPageBytes;
}

}  // namespace

HostRange::HostRange() : reserved_(machine_bytes()) {
  void* range = mmap(nullptr, static_cast<std::size_t>(reserved_), PROT_NONE,
                     MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
  if (range == MAP_FAILED) {
    reserved_ = 0;
    return;
  }
  base_ = static_cast<char*>(range);
}

HostRange::~HostRange() {
  if (base_ != nullptr) {
    munmap(base_, static_cast<std::size_t>(reserved_));
  }
}

bool HostRange::commit(char* at, std::int64_t bytes) {
  const auto size = static_cast<std::size_t>(bytes);
  if (mprotect(at, size, PROT_READ | PROT_WRITE) != 0) {
    return false;
  }
  madvise(at, size, MADV_HUGEPAGE);
  return true;
}

}  // namespace lathe
