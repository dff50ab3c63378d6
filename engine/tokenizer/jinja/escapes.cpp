// See escapes.h.
#include "engine/tokenizer/jinja/escapes.h"

#include <charconv>
#include <optional>

#include "engine/tokenizer/jinja/text.h"
#include "engine/tokenizer/jinja/value.h"

namespace lathe::jinja {
namespace {

// The characters that \a to \\ stand for, at the place of their letters.
constexpr std::string_view kLetters = "abfnrtv\\'\"";
constexpr std::string_view kMeanings = "\a\b\f\n\r\t\v\\'\"";

bool is_octal(char c) {
  return c >= '0' && c <= '7';
}

// The digits that follow the letter of \x, \u and \U; 0 for other letters.
std::size_t digits_of(char letter) {
  return letter == 'x' ? 2 : letter == 'u' ? 4 : letter == 'U' ? 8 : 0;
}

// The character of exactly these digits.
std::optional<char32_t> code_of(std::string_view digits, int base) {
  std::uint32_t code = 0;
  const char* const end = digits.data() + digits.size();
  const auto [stop, failed] = std::from_chars(digits.data(), end, code, base);
  const bool whole = !digits.empty() && failed == std::errc() && stop == end;
  const bool is_character = code <= 0x10FFFF && (code < 0xD800 || code > 0xDFFF);
  return whole && is_character ? std::optional<char32_t>(code) : std::nullopt;
}

// Reads what follows a backslash, whose letter is at `at`, and moves behind it.
bool read_escape(std::string_view text, std::size_t& at, std::string& out) {
  const char letter = text[at];
  if (letter == '\n') {  // a literal goes on in the next line
    ++at;
    return true;
  }
  if (const std::size_t known = kLetters.find(letter); known != std::string_view::npos) {
    out.push_back(kMeanings[known]);
    ++at;
    return true;
  }
  std::size_t begin = at;
  std::size_t count = 0;
  if (is_octal(letter)) {
    while (count < 3 && at + count < text.size() && is_octal(text[at + count])) {
      ++count;
    }
  } else if (count = digits_of(letter); count > 0) {
    ++begin;
  } else {
    out.push_back('\\');
    return letter != 'N';  // the letter follows as text
  }
  const std::string_view digits = text.substr(begin, count);
  const std::optional<char32_t> code =
      digits.size() == count ? code_of(digits, begin == at ? 8 : 16) : std::nullopt;
  if (code) {
    append_utf8(out, *code);
  }
  at = begin + count;
  return code.has_value();
}

}  // namespace

Result<std::string> unescaped(std::string_view text, int line) {
  std::string out;
  for (std::size_t at = 0; at < text.size();) {
    if (text[at] != '\\') {
      out.push_back(text[at++]);
      continue;
    }
    const std::size_t begin = at++;
    if (at == text.size() || !read_escape(text, at, out)) {
      return template_error(line, "the escape " + quoted(shown(text.substr(begin, 10))) +
                                      " in a string is not known here");
    }
  }
  return out;
}

}  // namespace lathe::jinja
