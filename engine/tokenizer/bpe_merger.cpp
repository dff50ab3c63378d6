// See bpe_merger.h.
#include "engine/tokenizer/bpe_merger.h"

#include <queue>

namespace lathe {
namespace {

Error bad(std::string_view origin, const std::string& what) {
  return {ErrorKind::kData, std::string(origin) + ": " + what,
          "the tokenizer is damaged or of an unknown kind; fetch it again"};
}

std::string shown(std::string_view text) {
  std::string quoted = "\"";
  quoted += text.substr(0, 40);
  quoted += '"';
  return quoted;
}

// A word's symbols as a list, so that a merge costs no move.
struct Symbol {
  std::int32_t id = 0;
  int before = -1;
  int after = -1;
};

// A pair that may merge, as it was when it was found; stale once one of its halves has changed.
struct Candidate {
  std::int32_t rank = 0;
  int left = 0;
  int right = 0;
  std::int32_t left_id = 0;
  std::int32_t right_id = 0;
  std::int32_t merged = 0;
  // Lowest rank first, then leftmost.
  bool operator<(const Candidate& other) const {
    return rank != other.rank ? rank > other.rank : left > other.left;
  }
};

}  // namespace

Result<BpeMerger> BpeMerger::make(
    std::vector<std::string> tokens,
    const std::vector<std::pair<std::string_view, std::string_view>>& merges,
    std::string_view origin) {
  BpeMerger merger;
  merger.tokens_ = std::move(tokens);
  merger.ids_.reserve(merger.tokens_.size());
  for (std::size_t id = 0; id < merger.tokens_.size(); ++id) {
    const std::string& token = merger.tokens_[id];
    if (!token.empty() && !merger.ids_.emplace(token, static_cast<std::int32_t>(id)).second) {
      return bad(origin, "token " + shown(token) + " comes twice");
    }
  }
  merger.rules_.reserve(merges.size());
  std::string merged;
  for (std::size_t rank = 0; rank < merges.size(); ++rank) {
    const auto& [left, right] = merges[rank];
    merged.assign(left);
    merged += right;
    const std::int32_t left_id = merger.find(left);
    const std::int32_t right_id = merger.find(right);
    const std::int32_t merged_id = merger.find(merged);
    if (left_id < 0 || right_id < 0 || merged_id < 0) {
      return bad(origin, "merge " + std::to_string(rank) + " (" + shown(left) + ", " +
                             shown(right) + ") names a token that the vocabulary lacks");
    }
    merger.rules_.try_emplace(key(left_id, right_id),
                              Rule{static_cast<std::int32_t>(rank), merged_id});
  }
  return merger;
}

std::int32_t BpeMerger::find(std::string_view token) const {
  const auto found = ids_.find(token);
  return found == ids_.end() ? -1 : found->second;
}

std::string_view BpeMerger::token(std::int32_t id) const {
  return id >= 0 && id < size() ? std::string_view(tokens_[static_cast<std::size_t>(id)])
                                : std::string_view();
}

void BpeMerger::merge(std::vector<std::int32_t>& ids) const {
  std::vector<Symbol> symbols(ids.size());
  std::priority_queue<Candidate> candidates;
  const auto consider = [&](int left, int right) {
    if (left < 0 || right < 0) {
      return;
    }
    const auto a = symbols[static_cast<std::size_t>(left)].id;
    const auto b = symbols[static_cast<std::size_t>(right)].id;
    const auto rule = rules_.find(key(a, b));
    if (rule != rules_.end()) {
      candidates.push({rule->second.rank, left, right, a, b, rule->second.id});
    }
  };
  const int count = static_cast<int>(ids.size());
  for (int i = 0; i < count; ++i) {
    symbols[static_cast<std::size_t>(i)] = {ids[static_cast<std::size_t>(i)], i - 1,
                                            i + 1 < count ? i + 1 : -1};
  }
  for (int i = 0; i + 1 < count; ++i) {
    consider(i, i + 1);
  }
  constexpr std::int32_t kGone = -1;
  while (!candidates.empty()) {
    const Candidate best = candidates.top();
    candidates.pop();
    Symbol& left = symbols[static_cast<std::size_t>(best.left)];
    Symbol& right = symbols[static_cast<std::size_t>(best.right)];
    if (left.id != best.left_id || right.id != best.right_id || left.after != best.right) {
      continue;
    }
    left.id = best.merged;
    left.after = right.after;
    right.id = kGone;
    if (left.after >= 0) {
      symbols[static_cast<std::size_t>(left.after)].before = best.left;
    }
    consider(left.before, best.left);
    consider(best.left, left.after);
  }
  ids.clear();
  for (int i = count > 0 ? 0 : -1; i >= 0; i = symbols[static_cast<std::size_t>(i)].after) {
    ids.push_back(symbols[static_cast<std::size_t>(i)].id);
  }
}

}  // namespace lathe
