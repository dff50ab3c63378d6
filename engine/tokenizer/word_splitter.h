// Cuts text into the words inside which byte pairs may merge: the rule of GPT-2 (Radford et al.
// 2019, "Language Models are Unsupervised Multitask Learners", section 2.2, and its published
// encoder). Nothing is lost: the words of a text, put together again, are the text.
#pragma once

#include <cstddef>
#include <string_view>

#include "engine/tokenizer/pattern.h"

namespace lathe {

// A longer word (a data: URL, a line of dashes) is cut, so that the work per word is bounded.
constexpr std::size_t kLongestWordBytes = 128;

// Goes through the words of one text. Not for use by two threads at once; cheap to keep and reuse.
class WordSplitter {
 public:
  // Begins with `text`, which must outlive the calls of next().
  void start(std::string_view text);
  // The next word, empty at the end. Text that is not UTF-8 comes in single bytes.
  std::string_view next();

 private:
  std::size_t match_word();

  Matcher matcher_;
  std::string_view text_;
  std::size_t position_ = 0;
  std::size_t word_end_ = 0;  // of the word being handed out in pieces
  bool is_text_ = true;
};

}  // namespace lathe
