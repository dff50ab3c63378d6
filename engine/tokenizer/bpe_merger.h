// Byte-pair merging by a published vocabulary (Sennrich et al. 2016, algorithm 1): of all pairs of
// neighbours the one of lowest rank merges first, the leftmost of equals.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <unordered_map>
#include <utility>
#include <vector>

#include "engine/base/result.h"

namespace lathe {

class BpeMerger {
 public:
  // `tokens` by id, empty where an id has none; `merges` by rank, as the texts of their halves.
  // kData, naming `origin` and the entry, where a token comes twice or a merge names none.
  static Result<BpeMerger> make(
      std::vector<std::string> tokens,
      const std::vector<std::pair<std::string_view, std::string_view>>& merges,
      std::string_view origin);

  std::int64_t size() const { return static_cast<std::int64_t>(tokens_.size()); }
  // -1 if there is none of this text.
  std::int32_t find(std::string_view token) const;
  // Empty for ids out of range.
  std::string_view token(std::int32_t id) const;

  // Merges the ids of one word until no pair is left that may. O(n log n).
  void merge(std::vector<std::int32_t>& ids) const;

 private:
  struct Rule {
    std::int32_t rank = 0;
    std::int32_t id = 0;
  };
  static std::uint64_t key(std::int32_t left, std::int32_t right) {
    return (static_cast<std::uint64_t>(static_cast<std::uint32_t>(left)) << 32U) |
           static_cast<std::uint32_t>(right);
  }

  std::vector<std::string> tokens_;
  std::unordered_map<std::string_view, std::int32_t> ids_;  // views of tokens_
  std::unordered_map<std::uint64_t, Rule> rules_;
};

}  // namespace lathe
