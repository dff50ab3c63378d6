// The splitting rule as a PCRE2 expression, compiled to machine code where PCRE2 can.
#include "engine/tokenizer/word_splitter.h"

#include <algorithm>

#include "engine/tokenizer/utf8.h"

namespace lathe {
namespace {

// Every character is in some word: what the other branches leave, the last one takes.
constexpr std::string_view kWordRule =
    R"('s|'t|'re|'ve|'m|'ll|'d| ?\p{L}+| ?\p{N}+| ?[^\s\p{L}\p{N}]+|\s+(?!\S)|\s+)";

const Pattern& word_pattern() {
  static const Pattern pattern = Pattern::compile(kWordRule, "the word rule").value();
  return pattern;
}

}  // namespace

void WordSplitter::start(std::string_view text) {
  text_ = text;
  position_ = 0;
  word_end_ = 0;
  is_text_ = is_utf8(text);
}

// End of the word at position_. The rule covers every character, so it always begins there; where
// PCRE2 gives up (its limits on time and memory) the character is a word.
std::size_t WordSplitter::match_word() {
  if (!is_text_) {
    return position_ + 1;
  }
  Matcher::Span word;
  if (matcher_.find(word_pattern(), text_, position_, word) && word.begin == position_ &&
      word.end > position_) {
    return word.end;
  }
  return position_ + utf8_length(text_, position_);
}

std::string_view WordSplitter::next() {
  if (position_ >= text_.size()) {
    return {};
  }
  if (position_ >= word_end_) {
    word_end_ = match_word();
  }
  const std::size_t length = std::min(word_end_ - position_, kLongestWordBytes);
  const std::string_view word = text_.substr(position_, length);
  position_ += length;
  return word;
}

}  // namespace lathe
