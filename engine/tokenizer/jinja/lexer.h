// Cuts the source of a chat template into tokens, and strips white space as transformers has Jinja
// do it: trim_blocks and lstrip_blocks are on, `-` and `+` beside a delimiter overrule them.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "engine/base/result.h"

namespace lathe::jinja {

enum class TokenKind {
  kText,
  kPrintBegin,  // {{
  kPrintEnd,
  kTagBegin,  // {%
  kTagEnd,
  kName,
  kString,
  kInteger,
  kOperator,
  kEnd
};

struct Token {
  TokenKind kind = TokenKind::kEnd;
  int line = 1;
  std::string text;  // the text, the name, the string's value, the operator
  std::int64_t integer = 0;
};

// The tokens with one kEnd last; kData where a string or a tag does not end, or a character has no
// meaning.
Result<std::vector<Token>> read_tokens(std::string_view source);

}  // namespace lathe::jinja
