// A regular expression over UTF-8 text with Unicode classes, through PCRE2; \s is White_Space.
#pragma once

#include <cstddef>
#include <memory>
#include <string_view>

#include "engine/base/result.h"

namespace lathe {

// Immutable; one may serve many threads, each with its Matcher.
class Pattern {
 public:
  // kData with PCRE2's reason where the rule is none; `origin` names the rule's file.
  static Result<Pattern> compile(std::string_view rule, std::string_view origin);
  Pattern(Pattern&&) noexcept;
  Pattern& operator=(Pattern&&) noexcept;
  ~Pattern();

 private:
  friend class Matcher;
  struct Code;
  explicit Pattern(std::unique_ptr<Code> code);
  std::unique_ptr<Code> code_;
};

// The memory of one search. Cheap to keep and reuse, not for two threads at once.
class Matcher {
 public:
  struct Span {
    std::size_t begin = 0;
    std::size_t end = 0;
  };

  Matcher();
  Matcher(Matcher&&) noexcept;
  ~Matcher();

  // The first match at or after `from`; false where there is none, and where PCRE2 gives up (its
  // limit on steps bounds what a hostile rule can cost). Precondition: `text` is UTF-8.
  bool find(const Pattern& pattern, std::string_view text, std::size_t from, Span& found);
  // Whether the last find() was given up, at the cost of all the steps that it may take.
  bool gave_up() const { return gave_up_; }

 private:
  struct Memory;
  std::unique_ptr<Memory> memory_;
  bool gave_up_ = false;
};

}  // namespace lathe
