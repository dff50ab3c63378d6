// See utf8.h; the table of well-formed sequences is that of the Unicode standard, table 3-7.
#include "engine/tokenizer/utf8.h"

#include <algorithm>

namespace lathe {
namespace {

unsigned byte_at(std::string_view text, std::size_t at) {
  return static_cast<unsigned char>(text[at]);
}

// Bytes that a character with this first byte has; 0 where none begins with it.
std::size_t announced_length(unsigned first) {
  if (first < 0x80) {
    return 1;
  }
  if (first < 0xC2 || first > 0xF4) {
    return 0;
  }
  return first < 0xE0 ? 2 : first < 0xF0 ? 3 : 4;
}

// The second byte's range depends on the first: no overlong forms, no surrogates, at most U+10FFFF.
bool second_fits(unsigned first, unsigned second) {
  const unsigned low = first == 0xE0 ? 0xA0 : first == 0xF0 ? 0x90 : 0x80;
  const unsigned high = first == 0xED ? 0x9F : first == 0xF4 ? 0x8F : 0xBF;
  return second >= low && second <= high;
}

}  // namespace

std::size_t utf8_length(std::string_view text, std::size_t at) {
  const unsigned first = byte_at(text, at);
  const std::size_t length = announced_length(first);
  if (length <= 1) {
    return length;
  }
  if (at + length > text.size() || !second_fits(first, byte_at(text, at + 1))) {
    return 0;
  }
  for (std::size_t i = at + 2; i < at + length; ++i) {
    if ((byte_at(text, i) & 0xC0U) != 0x80U) {
      return 0;
    }
  }
  return length;
}

bool is_utf8(std::string_view text) {
  for (std::size_t at = 0; at < text.size();) {
    const std::size_t length = utf8_length(text, at);
    if (length == 0) {
      return false;
    }
    at += length;
  }
  return true;
}

std::size_t unfinished_utf8(std::string_view text) {
  for (std::size_t back = 1; back <= std::min<std::size_t>(3, text.size()); ++back) {
    const unsigned byte = byte_at(text, text.size() - back);
    if ((byte & 0xC0U) == 0x80U) {
      continue;
    }
    const std::size_t length = announced_length(byte);
    const bool begins =
        length > back && (back < 2 || second_fits(byte, byte_at(text, text.size() - back + 1)));
    return begins ? back : 0;
  }
  return 0;
}

}  // namespace lathe
