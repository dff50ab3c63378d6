// The splitting rule as a PCRE2 expression, compiled to machine code where PCRE2 can.
#include "engine/tokenizer/word_splitter.h"

#define PCRE2_CODE_UNIT_WIDTH 8
#include <pcre2.h>

#include <algorithm>
#include <cstdint>

#include "engine/base/check.h"

namespace lathe {
namespace {

constexpr std::string_view kWordRule =
    R"('s|'t|'re|'ve|'m|'ll|'d| ?\p{L}+| ?\p{N}+| ?[^\s\p{L}\p{N}]+|\s+(?!\S)|\s+)";

struct CodeDeleter {
  void operator()(pcre2_code* code) const { pcre2_code_free(code); }
};
struct MatchDeleter {
  void operator()(pcre2_match_data* data) const { pcre2_match_data_free(data); }
};
using Code = std::unique_ptr<pcre2_code, CodeDeleter>;
using MatchData = std::unique_ptr<pcre2_match_data, MatchDeleter>;

PCRE2_SPTR units(std::string_view text) {
  static constexpr std::string_view kEmpty = "";  // PCRE2 wants a pointer even for no text
  return reinterpret_cast<PCRE2_SPTR>(text.empty() ? kEmpty.data() : text.data());
}

Code compile(std::string_view rule) {
  int error = 0;
  PCRE2_SIZE offset = 0;
  Code code(
      pcre2_compile(units(rule), rule.size(), PCRE2_UTF | PCRE2_UCP, &error, &offset, nullptr));
  CHECK(code != nullptr, "the word rule compiles");
  pcre2_jit_compile(code.get(), PCRE2_JIT_COMPLETE);  // without it matching is slower, no less
  return code;
}

const pcre2_code* word_code() {
  static const Code code = compile(kWordRule);
  return code.get();
}

}  // namespace

bool is_utf8(std::string_view text) {
  // Matching the empty expression at the start looks at nothing but checks the whole text.
  static const Code code = compile("");
  const MatchData match(pcre2_match_data_create(1, nullptr));
  return pcre2_match(code.get(), units(text), text.size(), 0, PCRE2_ANCHORED | PCRE2_NO_JIT,
                     match.get(), nullptr) >= 0;
}

struct WordSplitter::Matcher {
  MatchData data{pcre2_match_data_create(1, nullptr)};
};

WordSplitter::WordSplitter() : matcher_(std::make_unique<Matcher>()) {}
WordSplitter::WordSplitter(WordSplitter&&) noexcept = default;
WordSplitter::~WordSplitter() = default;

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
  const int found = pcre2_match(word_code(), units(text_), text_.size(), position_,
                                PCRE2_NO_UTF_CHECK, matcher_->data.get(), nullptr);
  const PCRE2_SIZE* span = pcre2_get_ovector_pointer(matcher_->data.get());
  if (found > 0 && span[0] == position_ && span[1] > position_) {
    return span[1];
  }
  std::size_t end = position_ + 1;
  while (end < text_.size() && (static_cast<unsigned char>(text_[end]) & 0xC0U) == 0x80U) {
    ++end;
  }
  return end;
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
