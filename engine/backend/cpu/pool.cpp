// Slabs are multiples of the huge page and asked for next to each other, so that they merge too.
#include "engine/backend/cpu/pool.h"

#include <sys/mman.h>

#include <algorithm>
#include <numeric>

namespace lathe {
namespace {

constexpr std::int64_t kHugePageBytes = 2 << 20;
constexpr std::int64_t kSmallestSlabBytes = 4 * kHugePageBytes;

std::int64_t round_up(std::int64_t value, std::int64_t unit) {
  return (value + unit - 1) / unit * unit;
}

// A mapping that begins at a huge page, near `hint` if it can be had; null when there is none.
char* map_aligned(char* hint, std::int64_t bytes) {
  const auto size = static_cast<std::size_t>(bytes + kHugePageBytes);
  void* wide = mmap(hint, size, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
  if (wide == MAP_FAILED) {
    return nullptr;
  }
  char* start = static_cast<char*>(wide);
  const std::int64_t misfit =
      static_cast<std::int64_t>(reinterpret_cast<std::uintptr_t>(start) % kHugePageBytes);
  const std::int64_t head = misfit == 0 ? 0 : kHugePageBytes - misfit;
  if (head > 0) {
    munmap(start, static_cast<std::size_t>(head));
  }
  munmap(start + head + bytes, static_cast<std::size_t>(kHugePageBytes - head));
  return start + head;
}

}  // namespace

Pool::~Pool() {
  for (const Slab& slab : slabs_) {
    munmap(slab.data, static_cast<std::size_t>(slab.bytes));
  }
}

bool Pool::grow(std::int64_t bytes) {
  const std::int64_t size = round_up(std::max(bytes, kSmallestSlabBytes), kHugePageBytes);
  char* hint =
      slabs_.empty() ? nullptr : static_cast<char*>(slabs_.back().data) + slabs_.back().bytes;
  char* data = map_aligned(hint, size);
  if (data == nullptr) {
    return false;
  }
  madvise(data, static_cast<std::size_t>(size), MADV_HUGEPAGE);
  slabs_.push_back({data, size});
  pool_bytes_ += size;
  insert(data, size);
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
