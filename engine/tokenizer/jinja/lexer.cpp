// See lexer.h. The rules follow Jinja's own lexer (jinja2/lexer.py of 3.1).
#include "engine/tokenizer/jinja/lexer.h"

#include <algorithm>
#include <charconv>

#include "engine/tokenizer/jinja/escapes.h"
#include "engine/tokenizer/jinja/text.h"
#include "engine/tokenizer/jinja/value.h"

namespace lathe::jinja {
namespace {

constexpr auto kNowhere = std::string_view::npos;

bool is_digit(char c) {
  return c >= '0' && c <= '9';
}

bool begins_name(char c) {
  return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || c == '_';
}

// One kind of line end, and none at the very end: keep_trailing_newline is off.
std::string with_plain_line_ends(std::string_view source) {
  std::string out;
  out.reserve(source.size());
  for (std::size_t i = 0; i < source.size(); ++i) {
    if (source[i] != '\r') {
      out.push_back(source[i]);
    } else if (i + 1 == source.size() || source[i + 1] != '\n') {
      out.push_back('\n');
    }
  }
  if (out.ends_with('\n')) {
    out.pop_back();
  }
  return out;
}

class Lexer {
 public:
  explicit Lexer(std::string_view source) : source_(source) {}

  Result<std::vector<Token>> run() {
    while (!error_ && at_ < source_.size()) {
      if (closer_.empty()) {
        read_text();
      } else {
        read_inside();
      }
    }
    if (!error_ && !closer_.empty()) {
      fail(quoted(closer_) + " is missing at the end");
    }
    if (error_) {
      return *error_;
    }
    add(TokenKind::kEnd, "the end of the template");
    return std::move(tokens_);
  }

 private:
  std::string_view rest() const { return source_.substr(at_); }

  void add(TokenKind kind, std::string text, std::int64_t integer = 0) {
    tokens_.push_back({.kind = kind, .line = line_, .text = std::move(text), .integer = integer});
  }

  void fail(const std::string& what) { error_ = template_error(line_, what); }

  // Moves on, counting lines.
  void skip(std::size_t count) {
    const std::string_view skipped = source_.substr(at_, count);
    line_ += static_cast<int>(std::count(skipped.begin(), skipped.end(), '\n'));
    at_ += skipped.size();
  }

  void skip_spaces() { skip(rest().size() - strip_left(rest()).size()); }

  void read_text();
  std::string_view kept_before(std::string_view text, char opener, char sign) const;
  void end_tag(char sign, bool trims);
  void skip_comment();
  void read_inside();
  bool read_end();
  void read_string();
  void read_integer();
  void read_operator();

  std::string_view source_;
  std::size_t at_ = 0;
  int line_ = 1;
  bool on_new_line_ = true;  // what was read last ended with a line
  std::string_view closer_;  // of the tag we are in; empty in text
  std::vector<Token> tokens_;
  std::optional<Error> error_;
};

std::size_t find_opener(std::string_view text) {
  for (std::size_t at = text.find('{'); at != kNowhere; at = text.find('{', at + 1)) {
    if (at + 1 < text.size() && std::string_view("{%#").find(text[at + 1]) != kNowhere) {
      return at;
    }
  }
  return kNowhere;
}

// What the delimiter after it leaves of `text`.
std::string_view Lexer::kept_before(std::string_view text, char opener, char sign) const {
  if (sign == '-') {
    return strip_right(text);
  }
  if (sign == '+' || opener == '{') {
    return text;
  }
  const std::size_t line_begin = text.rfind('\n') + 1;  // 0 where there is no line end
  const bool whole_line = line_begin > 0 || on_new_line_;
  return whole_line && strip_left(text.substr(line_begin)).empty() ? text.substr(0, line_begin)
                                                                   : text;
}

void Lexer::read_text() {
  const std::size_t length = find_opener(rest());
  if (length == kNowhere) {
    add(TokenKind::kText, std::string(rest()));
    skip(rest().size());
    return;
  }
  const char opener = rest()[length + 1];
  const char next = length + 2 < rest().size() ? rest()[length + 2] : ' ';
  const char sign = next == '-' || next == '+' ? next : ' ';
  const std::string_view kept = kept_before(rest().substr(0, length), opener, sign);
  if (!kept.empty()) {
    add(TokenKind::kText, std::string(kept));
  }
  skip(length + (sign == ' ' ? 2 : 3));
  if (opener == '#') {
    skip_comment();
  } else {
    closer_ = opener == '{' ? "}}" : "%}";
    add(opener == '{' ? TokenKind::kPrintBegin : TokenKind::kTagBegin, "");
  }
}

// After a delimiter that ends a tag: `sign` stood before it, `trims` tells whether it takes the
// line end that follows.
void Lexer::end_tag(char sign, bool trims) {
  const std::size_t begin = at_;
  if (sign == '-') {
    skip_spaces();
  } else if (trims && sign != '+' && rest().starts_with('\n')) {
    skip(1);
  }
  on_new_line_ = at_ > begin && source_[at_ - 1] == '\n';
}

void Lexer::skip_comment() {
  const std::size_t length = rest().find("#}");
  if (length == kNowhere) {
    fail("'#}' is missing: a comment has no end");
    return;
  }
  const char sign = length > 0 ? rest()[length - 1] : ' ';
  skip(length + 2);
  end_tag(sign, true);
}

// Whether the tag ends here.
bool Lexer::read_end() {
  const char sign = rest()[0];
  const bool signed_end = sign == '-' || (sign == '+' && closer_ == "%}");
  if (!rest().substr(signed_end ? 1 : 0).starts_with(closer_)) {
    return false;
  }
  const bool is_tag = closer_ == "%}";
  add(is_tag ? TokenKind::kTagEnd : TokenKind::kPrintEnd, "the end of the tag");
  skip(closer_.size() + (signed_end ? 1 : 0));
  end_tag(signed_end ? sign : ' ', is_tag);
  closer_ = {};
  return true;
}

void Lexer::read_inside() {
  skip_spaces();
  if (rest().empty() || read_end()) {
    return;
  }
  const char c = rest()[0];
  if (c == '\'' || c == '"') {
    read_string();
  } else if (is_digit(c)) {
    read_integer();
  } else if (begins_name(c)) {
    const std::string_view text = rest();
    const auto end = std::find_if_not(text.begin(), text.end(),
                                      [](char d) { return begins_name(d) || is_digit(d); });
    const std::string name(text.begin(), end);
    if (name.size() > kMaxNameBytes) {
      fail("a name is longer than " + std::to_string(kMaxNameBytes) + " characters");
    }
    add(TokenKind::kName, name);
    skip(name.size());
  } else {
    read_operator();
  }
}

void Lexer::read_string() {
  const char quote = rest()[0];
  std::size_t end = 1;
  while (end < rest().size() && rest()[end] != quote) {
    end += rest()[end] == '\\' ? 2 : 1;
  }
  if (end >= rest().size()) {
    fail("a string has no end");
    return;
  }
  Result<std::string> value = unescaped(rest().substr(1, end - 1), line_);
  if (!value) {
    error_ = value.error();
    return;
  }
  add(TokenKind::kString, std::move(*value));
  skip(end + 1);
}

void Lexer::read_integer() {
  const auto* const end = std::find_if_not(rest().begin(), rest().end(), [](char c) {
    return is_digit(c) || begins_name(c) || c == '.';
  });
  const std::string text(rest().begin(), end);
  std::int64_t value = 0;
  const auto [stop, failed] = std::from_chars(text.data(), text.data() + text.size(), value);
  // 1.5, 1e3, 0x10 and 1_000 are numbers too, but no template needs them; Jinja has no 007.
  const bool plain = failed == std::errc() && stop == text.data() + text.size() &&
                     (text.size() == 1 || text[0] != '0');
  if (!plain) {
    fail("the number " + quoted(shown(text)) + " is not known here: only integers of 64 bits are");
    return;
  }
  add(TokenKind::kInteger, text, value);
  skip(text.size());
}

void Lexer::read_operator() {
  constexpr std::string_view kOperators[] = {"==", "!=", "<=", ">=", "//", "**", "+", "-", "*",
                                             "/",  "%",  "~",  "<",  ">",  "=",  "(", ")", "[",
                                             "]",  "{",  "}",  ",",  ":",  ".",  "|"};
  for (const std::string_view name : kOperators) {
    if (rest().starts_with(name)) {
      add(TokenKind::kOperator, std::string(name));
      skip(name.size());
      return;
    }
  }
  fail("the character " + quoted(shown(characters(rest().substr(0, 4))[0])) +
       " has no meaning in a tag");
}

}  // namespace

Result<std::vector<Token>> read_tokens(std::string_view source) {
  const std::string plain = with_plain_line_ends(source);
  return Lexer(plain).run();
}

}  // namespace lathe::jinja
