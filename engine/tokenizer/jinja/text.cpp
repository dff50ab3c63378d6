// See text.h.
#include "engine/tokenizer/jinja/text.h"

#include <algorithm>

#include "engine/tokenizer/utf8.h"

namespace lathe::jinja {
namespace {

std::size_t length_at(std::string_view text, std::size_t at) {
  return std::max<std::size_t>(1, utf8_length(text, at));
}

// The last character: at most three bytes before the last one belong to it.
std::string_view last_character(std::string_view text) {
  for (std::size_t length = 4; length > 1; --length) {
    if (length <= text.size() && utf8_length(text, text.size() - length) == length) {
      return text.substr(text.size() - length);
    }
  }
  return text.substr(text.size() - 1);
}

bool is_stripped(std::string_view character, std::string_view set) {
  if (set.empty()) {
    return is_space(character);
  }
  for (std::size_t at = 0; at < set.size(); at += length_at(set, at)) {
    if (set.substr(at, length_at(set, at)) == character) {
      return true;
    }
  }
  return false;
}

}  // namespace

std::vector<std::string_view> characters(std::string_view text) {
  std::vector<std::string_view> out;
  for (std::size_t at = 0; at < text.size(); at += out.back().size()) {
    out.push_back(text.substr(at, length_at(text, at)));
  }
  return out;
}

std::size_t character_count(std::string_view text) {
  std::size_t count = 0;
  for (std::size_t at = 0; at < text.size(); at += length_at(text, at)) {
    ++count;
  }
  return count;
}

bool is_space(std::string_view character) {
  if (character.size() == 1) {
    const unsigned char c = static_cast<unsigned char>(character[0]);
    return (c >= 9 && c <= 13) || (c >= 28 && c <= 32);
  }
  // U+0085, U+00A0, U+1680, U+2000 to U+200A, U+2028, U+2029, U+202F, U+205F, U+3000
  constexpr std::string_view kSpaces[] = {"\xC2\x85",     "\xC2\xA0",     "\xE1\x9A\x80",
                                          "\xE2\x80\xA8", "\xE2\x80\xA9", "\xE2\x80\xAF",
                                          "\xE2\x81\x9F", "\xE3\x80\x80"};
  const bool in_row = character >= "\xE2\x80\x80" && character <= "\xE2\x80\x8A";
  return in_row ||
         std::find(std::begin(kSpaces), std::end(kSpaces), character) != std::end(kSpaces);
}

std::string_view strip_left(std::string_view text, std::string_view set) {
  while (!text.empty() && is_stripped(text.substr(0, length_at(text, 0)), set)) {
    text.remove_prefix(length_at(text, 0));
  }
  return text;
}

std::string_view strip_right(std::string_view text, std::string_view set) {
  while (!text.empty() && is_stripped(last_character(text), set)) {
    text.remove_suffix(last_character(text).size());
  }
  return text;
}

void append_utf8(std::string& out, char32_t code) {
  const auto put = [&](char32_t byte) { out.push_back(static_cast<char>(byte)); };
  if (code < 0x80) {
    put(code);
  } else if (code < 0x800) {
    put(0xC0U | (code >> 6U));
    put(0x80U | (code & 0x3FU));
  } else if (code < 0x10000) {
    put(0xE0U | (code >> 12U));
    put(0x80U | ((code >> 6U) & 0x3FU));
    put(0x80U | (code & 0x3FU));
  } else {
    put(0xF0U | (code >> 18U));
    put(0x80U | ((code >> 12U) & 0x3FU));
    put(0x80U | ((code >> 6U) & 0x3FU));
    put(0x80U | (code & 0x3FU));
  }
}

}  // namespace lathe::jinja
