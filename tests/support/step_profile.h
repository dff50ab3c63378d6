// The memory of a made-up step: weights and moments that were there before, layers that keep
// activations in forward and take workspace and gradients in backward.
#pragma once

#include <map>
#include <string>

#include "experiments/events.h"

namespace lathe::test {

inline constexpr std::int64_t kProfileWeights = 4000;
inline constexpr std::int64_t kProfileKept = 1000;
inline constexpr std::int64_t kProfileScratch = 300;

class ProfileMaker {
 public:
  explicit ProfileMaker(std::int64_t blocks) {
    profile_.run = "run0000000";
    profile_.step = 2;
    for (std::int64_t i = 0; i < blocks; ++i) {
      live_ += kProfileWeights;
      before_[{"layers." + std::to_string(i) + ".mlp.up", Category::kWeights}] = kProfileWeights;
    }
    for (std::int64_t i = 0; i < blocks; ++i) {
      take(i, Category::kActivations, "up", kProfileKept);
    }
    at_peak_ = alive_;
    for (std::int64_t i = blocks; i-- > 0;) {
      take(blocks + i, Category::kWorkspace, "dhidden", kProfileScratch);
      if (i + 1 == blocks) {
        at_peak_ = alive_;
        peak_ = live_;
      }
      give_back(blocks + i);
      give_back(i);
    }
    finish();
  }

  experiments::MemoryProfile profile() const { return profile_; }
  std::int64_t peak() const { return peak_; }

 private:
  using Key = std::pair<std::string, Category>;

  void take(std::int64_t block, Category category, const char* name, std::int64_t bytes) {
    const std::int64_t layer = block % static_cast<std::int64_t>(before_.size());
    profile_.tags.push_back({category, "layers." + std::to_string(layer) + ".mlp.up", name});
    live_ += bytes;
    profile_.time_line.push_back({.bytes = bytes,
                                  .live_bytes = live_,
                                  .block = static_cast<std::uint64_t>(block),
                                  .category = category,
                                  .tag = static_cast<std::int32_t>(profile_.tags.size() - 1)});
    alive_[static_cast<std::uint64_t>(block)] = profile_.time_line.back();
  }
  void give_back(std::int64_t block) {
    LedgerEvent event = alive_.at(static_cast<std::uint64_t>(block));
    alive_.erase(static_cast<std::uint64_t>(block));
    event.bytes = -event.bytes;
    live_ += event.bytes;
    event.live_bytes = live_;
    profile_.time_line.push_back(event);
  }
  void finish() {
    std::map<Key, std::int64_t> sums = before_;
    for (const auto& [block, event] : at_peak_) {
      sums[{profile_.tags[static_cast<std::size_t>(event.tag)].layer, event.category}] +=
          event.bytes;
    }
    for (const auto& [key, bytes] : sums) {
      profile_.peak_by_layer.push_back({key.first, key.second, bytes});
      profile_.peak.by_category[static_cast<std::size_t>(key.second)] += bytes;
    }
    profile_.peak.live_bytes = peak_;
    profile_.peak_phase = "backward layers.0";
  }

  experiments::MemoryProfile profile_;
  std::map<Key, std::int64_t> before_;
  std::map<std::uint64_t, LedgerEvent> alive_, at_peak_;
  std::int64_t live_ = 0;
  std::int64_t peak_ = 0;
};

}  // namespace lathe::test
