// The committed part grows at its end by what the last free block lacks, so nothing is stranded.
#include "engine/backend/cpu/pool.h"

#include <sys/mman.h>
#include <unistd.h>

#include <numeric>

namespace lathe {
namespace {

constexpr std::int64_t kHugePageBytes = 2 << 20;

std::int64_t round_up(std::int64_t value, std::int64_t unit) {
  return (value + unit - 1) / unit * unit;
}

std::int64_t machine_bytes() {
  return static_cast<std::int64_t>(sysconf(_SC_PHYS_PAGES)) * sysconf(_SC_PAGESIZE);
}

}  // namespace

Pool::Pool() : reserved_(round_up(machine_bytes(), kHugePageBytes)) {
  void* range = mmap(nullptr, static_cast<std::size_t>(reserved_), PROT_NONE,
                     MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
  if (range == MAP_FAILED) {
    reserved_ = 0;
    return;
  }
  base_ = static_cast<char*>(range);
}

Pool::~Pool() {
  if (base_ != nullptr) {
    munmap(base_, static_cast<std::size_t>(reserved_));
  }
}

bool Pool::grow(std::int64_t bytes) {
  char* end = base_ + committed_;
  std::int64_t trailing = 0;
  if (!by_address_.empty()) {
    const auto& [at, size] = *by_address_.rbegin();
    trailing = at + size == end ? size : 0;
  }
  const std::int64_t more = round_up(bytes - trailing, kHugePageBytes);
  if (more > reserved_ - committed_ ||
      mprotect(end, static_cast<std::size_t>(more), PROT_READ | PROT_WRITE) != 0) {
    return false;
  }
  madvise(end, static_cast<std::size_t>(more), MADV_HUGEPAGE);
  committed_ += more;
  insert(end, more);
  return true;
}

void Pool::insert(char* at, std::int64_t bytes) {
  const auto next = by_address_.lower_bound(at);
  if (next != by_address_.end() && at + bytes == next->first) {
    bytes += next->second;
    erase(next);
  }
  const auto after = by_address_.lower_bound(at);
  if (after != by_address_.begin()) {
    const auto previous = std::prev(after);
    if (previous->first + previous->second == at) {
      at = previous->first;
      bytes += previous->second;
      erase(previous);
    }
  }
  by_address_.emplace(at, bytes);
  by_size_.emplace(bytes, at);
}

void Pool::erase(std::map<char*, std::int64_t>::iterator block) {
  by_size_.erase({block->second, block->first});
  by_address_.erase(block);
}

void* Pool::take(std::int64_t bytes) {
  bytes = round_up(bytes, kGranule);
  auto fit = by_size_.lower_bound({bytes, nullptr});
  if (fit == by_size_.end()) {
    if (!grow(bytes)) {
      return nullptr;
    }
    fit = by_size_.lower_bound({bytes, nullptr});
  }
  const auto [size, at] = *fit;
  erase(by_address_.find(at));
  if (size > bytes) {
    insert(at + bytes, size - bytes);
  }
  return at;
}

std::int64_t Pool::free_bytes() const {
  return std::accumulate(by_address_.begin(), by_address_.end(), std::int64_t{0},
                         [](std::int64_t sum, const auto& block) { return sum + block.second; });
}

void Pool::give_back(void* data, std::int64_t bytes) noexcept {
  insert(static_cast<char*>(data), round_up(bytes, kGranule));
}

}  // namespace lathe
