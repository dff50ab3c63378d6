// The committed part grows at its end by what the last free block lacks, so nothing is stranded.
#include "engine/backend/pool.h"

#include <algorithm>
#include <numeric>
#include <utility>

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
  if (noting_) {
    noted_.push_back({at, bytes});
  }
  return at;
}

void Pool::start_noting() {
  noting_ = true;
  noted_.clear();
}

std::vector<Pool::Stretch> Pool::stop_noting() {
  noting_ = false;
  std::vector<Stretch> blocks = std::exchange(noted_, {});
  std::sort(blocks.begin(), blocks.end(),
            [](const Stretch& a, const Stretch& b) { return a.at < b.at; });
  std::vector<Stretch> merged;
  for (const Stretch& block : blocks) {
    if (merged.empty() || merged.back().at + merged.back().bytes < block.at) {
      merged.push_back(block);
      continue;
    }
    Stretch& last = merged.back();
    last.bytes = std::max(last.bytes, block.at + block.bytes - last.at);
  }
  return merged;
}

// Free neighbours are one, so a free stretch lies within one free block.
bool Pool::are_free(const std::vector<Stretch>& stretches) const {
  return std::all_of(stretches.begin(), stretches.end(), [&](const Stretch& stretch) {
    const auto after = by_address_.upper_bound(stretch.at);
    if (after == by_address_.begin()) {
      return false;
    }
    const auto& [at, bytes] = *std::prev(after);
    return stretch.at + stretch.bytes <= at + bytes;
  });
}

std::int64_t Pool::free_bytes() const {
  return std::accumulate(by_address_.begin(), by_address_.end(), std::int64_t{0},
                         [](std::int64_t sum, const auto& block) { return sum + block.second; });
}

void Pool::give_back(void* data, std::int64_t bytes) noexcept {
  insert(static_cast<char*>(data), round_up(bytes, kGranule));
}

}  // namespace lathe
