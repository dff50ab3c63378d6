// Trains byte-pair merges (Sennrich et al. 2016, algorithm 1) from counted words. The result
// depends on the counts alone: ties go to the pair with the lower left, then the lower right id.
#pragma once

#include <cstdint>
#include <functional>
#include <string_view>
#include <utility>
#include <vector>

#include "engine/tokenizer/tokenizer.h"

namespace lathe {

// How often each word occurs. Counts of parts may be taken by several threads and added.
class WordCounts {
 public:
  void add_text(std::string_view text);
  void add_counts(const WordCounts& other);
  // In the order of the words' bytes.
  std::vector<std::pair<std::string_view, std::int64_t>> sorted() const;

 private:
  WordMap<std::int64_t> counts_;
  WordSplitter splitter_;
};

// At most `count` merges; fewer where no pair occurs twice. `progress` (may be empty) is called now
// and then with the share done.
std::vector<Merge> train_bpe(const WordCounts& words, std::int64_t count,
                             const std::function<void(double)>& progress);

}  // namespace lathe
