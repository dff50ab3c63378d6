// Pair counts are kept up to date word by word, and a heap gives the next merge; an entry of the
// heap whose count has since changed is put back with the true count.
#include "engine/tokenizer/bpe_trainer.h"

#include <algorithm>
#include <queue>
#include <tuple>
#include <unordered_map>

namespace lathe {
namespace {

struct Word {
  std::vector<std::int32_t> ids;
  std::int64_t count = 0;
};

struct PairUse {
  std::int64_t count = 0;
  std::vector<std::uint32_t> words;  // that have held the pair, maybe more than once
};

struct Candidate {
  std::int64_t count = 0;
  Merge merge;
  // The largest comes first from the heap.
  bool operator<(const Candidate& other) const {
    return std::tuple(count, other.merge.left, other.merge.right) <
           std::tuple(other.count, merge.left, merge.right);
  }
};

class Trainer {
 public:
  explicit Trainer(const WordCounts& counts) {
    for (const auto& [text, count] : counts.sorted()) {
      Word word{.ids = {}, .count = count};
      for (const char byte : text) {
        word.ids.push_back(static_cast<unsigned char>(byte));
      }
      words_.push_back(std::move(word));
    }
    for (std::size_t index = 0; index < words_.size(); ++index) {
      const std::vector<std::int32_t>& ids = words_[index].ids;
      for (std::size_t i = 0; i + 1 < ids.size(); ++i) {
        add({ids[i], ids[i + 1]}, static_cast<std::uint32_t>(index));
      }
    }
    push_touched();
  }

  // The most frequent pair; none is left where its count is below 2.
  Candidate next() {
    while (!heap_.empty()) {
      Candidate top = heap_.top();
      heap_.pop();
      const std::int64_t count = pairs_[top.merge.key()].count;
      if (count == top.count) {
        return top;
      }
      if (count > 1) {
        heap_.push({count, top.merge});
      }
    }
    return {};
  }

  void apply(Merge merge, std::int32_t id) {
    const std::vector<std::uint32_t> users = std::move(pairs_[merge.key()].words);
    for (const std::uint32_t index : users) {
      apply_to_word(index, merge, id);
    }
    pairs_.erase(merge.key());
    push_touched();
  }

 private:
  void add(Merge pair, std::uint32_t index) {
    PairUse& use = pairs_[pair.key()];
    use.count += words_[index].count;
    if (use.words.empty() || use.words.back() != index) {
      use.words.push_back(index);
      touched_.push_back(pair);
    }
  }

  void remove(Merge pair, std::uint32_t index) { pairs_[pair.key()].count -= words_[index].count; }

  void apply_to_word(std::uint32_t index, Merge merge, std::int32_t id) {
    std::vector<std::int32_t>& ids = words_[index].ids;
    std::size_t kept = 0;
    for (std::size_t i = 0; i < ids.size(); ++kept) {
      if (i + 1 == ids.size() || ids[i] != merge.left || ids[i + 1] != merge.right) {
        ids[kept] = ids[i++];
        continue;
      }
      if (kept > 0) {
        remove({ids[kept - 1], merge.left}, index);
        add({ids[kept - 1], id}, index);
      }
      if (i + 2 < ids.size()) {
        // What stands right of the new token may itself become one: then this pair is replaced when
        // that happens, as the left neighbour above.
        remove({merge.right, ids[i + 2]}, index);
        add({id, ids[i + 2]}, index);
      }
      ids[kept] = id;
      i += 2;
    }
    ids.resize(kept);
  }

  void push_touched() {
    for (const Merge pair : touched_) {
      const std::int64_t count = pairs_[pair.key()].count;
      if (count > 1) {
        heap_.push({count, pair});
      }
    }
    touched_.clear();
  }

  std::vector<Word> words_;
  std::unordered_map<std::uint64_t, PairUse> pairs_;
  std::priority_queue<Candidate> heap_;
  std::vector<Merge> touched_;
};

}  // namespace

void WordCounts::add_text(std::string_view text) {
  splitter_.start(text);
  for (std::string_view word = splitter_.next(); !word.empty(); word = splitter_.next()) {
    if (const auto known = counts_.find(word); known != counts_.end()) {
      ++known->second;
    } else {
      counts_.emplace(word, 1);
    }
  }
}

void WordCounts::add_counts(const WordCounts& other) {
  for (const auto& [word, count] : other.counts_) {
    counts_[word] += count;
  }
}

std::vector<std::pair<std::string_view, std::int64_t>> WordCounts::sorted() const {
  std::vector<std::pair<std::string_view, std::int64_t>> words(counts_.begin(), counts_.end());
  std::sort(words.begin(), words.end());
  return words;
}

std::vector<Merge> train_bpe(const WordCounts& words, std::int64_t count,
                             const std::function<void(double)>& progress) {
  constexpr std::size_t kReportEvery = 64;
  Trainer trainer(words);
  std::vector<Merge> merges;
  while (static_cast<std::int64_t>(merges.size()) < count) {
    const Candidate best = trainer.next();
    if (best.count < 2) {
      break;
    }
    trainer.apply(best.merge, kFirstMergeId + static_cast<std::int32_t>(merges.size()));
    merges.push_back(best.merge);
    if (progress && merges.size() % kReportEvery == 0) {
      progress(static_cast<double>(merges.size()) / static_cast<double>(count));
    }
  }
  return merges;
}

}  // namespace lathe
