// The committed part grows at its end by what the last free block lacks, so nothing is stranded.
#include "engine/backend/pool.h"

#include <numeric>

namespace lathe {
namespace {

std::int64_t round_up(std::int64_t value, std::int64_t unit) {
  return (value + unit - 1) / unit * unit;
}

}  // namespace

bool Pool::grow(std::int64_t bytes) {
  char* end = range_->base() + committed_;
  std::int64_t trailing = 0;
  if (!by_address_.empty()) {
    const auto& [at, size] = *by_address_.rbegin();
    trailing = at + size == end ? size : 0;
  }
  const std::int64_t more = round_up(bytes - trailing, kPageBytes);
  if (more > range_->reserved_bytes() - committed_ || !range_->commit(end, more)) {
    return false;
  }
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
