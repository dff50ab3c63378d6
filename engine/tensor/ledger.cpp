// Bookkeeping of blocks; sums are kept up to date so that a peak costs nothing to know.
#include "engine/tensor/ledger.h"

#include <algorithm>

#include "engine/base/check.h"

namespace lathe {

std::int32_t Ledger::intern(const Tag& tag) {
  const auto found = std::find_if(tags_.begin(), tags_.end(), [&](const Tag& known) {
    return known.category == tag.category && known.layer == tag.layer && known.name == tag.name;
  });
  if (found != tags_.end()) {
    return static_cast<std::int32_t>(found - tags_.begin());
  }
  tags_.push_back(tag);
  return static_cast<std::int32_t>(tags_.size() - 1);
}

std::uint64_t Ledger::take(std::int64_t bytes, const Tag& tag, BlockKind kind) {
  std::uint64_t id = blocks_.size();
  if (free_ids_.empty()) {
    blocks_.emplace_back();
  } else {
    id = free_ids_.back();
    free_ids_.pop_back();
  }
  blocks_[id] = {bytes, tag.category, intern(tag), true, kind};
  live_.live_bytes += bytes;
  live_.mapped_bytes += kind == BlockKind::kMapped ? bytes : 0;
  live_.by_category[static_cast<std::size_t>(tag.category)] += bytes;
  if (recording_) {
    time_line_.push_back({bytes, live_.live_bytes, id, tag.category, blocks_[id].tag});
  }
  if (live_.live_bytes > peak_.live_bytes) {
    peak_ = live_;
    peak_phase_ = phase_;
  }
  return id;
}

void Ledger::give_back(std::uint64_t block) {
  Block& given = blocks_[block];
  CHECK(given.alive, "a block is given back once");
  given.alive = false;
  live_.live_bytes -= given.bytes;
  live_.mapped_bytes -= given.kind == BlockKind::kMapped ? given.bytes : 0;
  live_.by_category[static_cast<std::size_t>(given.category)] -= given.bytes;
  if (recording_) {
    time_line_.push_back({-given.bytes, live_.live_bytes, block, given.category, given.tag});
  }
  free_ids_.push_back(block);
}

void Ledger::reset_peak() {
  peak_ = live_;
  peak_phase_ = phase_;
}

void Ledger::set_peak(const LedgerSnapshot& peak, std::string_view phase) {
  peak_ = peak;
  peak_phase_ = phase;
}

void Ledger::start_time_line() {
  time_line_.clear();
  bytes_by_tag_at_start_.assign(tags_.size(), 0);
  for (const Block& block : blocks_) {
    if (block.alive) {
      bytes_by_tag_at_start_[static_cast<std::size_t>(block.tag)] += block.bytes;
    }
  }
  recording_ = true;
}

std::vector<LayerBytes> Ledger::live_by_layer() const {
  std::vector<std::int64_t> bytes(tags_.size(), 0);
  for (const Block& block : blocks_) {
    if (block.alive) {
      bytes[static_cast<std::size_t>(block.tag)] += block.bytes;
    }
  }
  return sum_by_layer(bytes);
}

std::vector<LayerBytes> Ledger::peak_by_layer() const {
  const auto top = std::max_element(
      time_line_.begin(), time_line_.end(),
      [](const LedgerEvent& a, const LedgerEvent& b) { return a.live_bytes < b.live_bytes; });
  std::vector<std::int64_t> bytes = bytes_by_tag_at_start_;
  bytes.resize(tags_.size(), 0);
  if (top != time_line_.end()) {
    for (auto event = time_line_.begin(); event <= top; ++event) {
      bytes[static_cast<std::size_t>(event->tag)] += event->bytes;
    }
  }
  return sum_by_layer(bytes);
}

std::vector<LayerBytes> Ledger::sum_by_layer(const std::vector<std::int64_t>& bytes_by_tag) const {
  std::vector<LayerBytes> sums;
  for (std::size_t tag = 0; tag < bytes_by_tag.size(); ++tag) {
    if (bytes_by_tag[tag] == 0) {
      continue;
    }
    const auto known = std::find_if(sums.begin(), sums.end(), [&](const LayerBytes& sum) {
      return sum.layer == tags_[tag].layer && sum.category == tags_[tag].category;
    });
    if (known != sums.end()) {
      known->bytes += bytes_by_tag[tag];
    } else {
      sums.push_back({tags_[tag].layer, tags_[tag].category, bytes_by_tag[tag]});
    }
  }
  std::sort(sums.begin(), sums.end(), [](const LayerBytes& a, const LayerBytes& b) {
    return a.layer != b.layer ? a.layer < b.layer : a.category < b.category;
  });
  return sums;
}

}  // namespace lathe
