// See pattern.h.
#include "engine/tokenizer/pattern.h"

#define PCRE2_CODE_UNIT_WIDTH 8
#include <pcre2.h>

#include <algorithm>
#include <array>
#include <string>

namespace lathe {
namespace {

// Steps of one search. The rules in use need some hundred.
constexpr std::uint32_t kMostSteps = 1'000'000;

PCRE2_SPTR units(std::string_view text) {
  static constexpr std::string_view kEmpty = "";  // PCRE2 wants a pointer even for no text
  return reinterpret_cast<PCRE2_SPTR>(text.empty() ? kEmpty.data() : text.data());
}

// \s as the published rules' engines read it, Unicode's White_Space. PCRE2's own has U+180E too,
// which has not been a space since Unicode 6.3. What \Q quotes is no expression.
std::string with_unicode_spaces(std::string_view rule) {
  std::string out;
  for (std::size_t at = 0; at < rule.size();) {
    const std::string_view two = rule.substr(at, 2);
    if (two == "\\Q") {
      const std::size_t end = std::min(rule.find("\\E", at), rule.size());
      out += rule.substr(at, end - at);
      at = end;
    } else if (two == "\\s" || two == "\\S") {
      out += two == "\\s" ? "\\p{White_Space}" : "\\P{White_Space}";
      at += 2;
    } else {
      const std::size_t length = rule[at] == '\\' ? two.size() : 1;
      out += rule.substr(at, length);
      at += length;
    }
  }
  return out;
}

struct CodeDeleter {
  void operator()(pcre2_code* code) const { pcre2_code_free(code); }
};
struct MatchDeleter {
  void operator()(pcre2_match_data* data) const { pcre2_match_data_free(data); }
};
struct ContextDeleter {
  void operator()(pcre2_match_context* context) const { pcre2_match_context_free(context); }
};

}  // namespace

struct Pattern::Code {
  std::unique_ptr<pcre2_code, CodeDeleter> compiled;
};

Pattern::Pattern(std::unique_ptr<Code> code) : code_(std::move(code)) {}
Pattern::Pattern(Pattern&&) noexcept = default;
Pattern& Pattern::operator=(Pattern&&) noexcept = default;
Pattern::~Pattern() = default;

Result<Pattern> Pattern::compile(std::string_view rule, std::string_view origin) {
  const std::string expression = with_unicode_spaces(rule);
  int error = 0;
  PCRE2_SIZE offset = 0;
  auto code = std::make_unique<Code>();
  code->compiled.reset(pcre2_compile(units(expression), expression.size(), PCRE2_UTF | PCRE2_UCP,
                                     &error, &offset, nullptr));
  if (code->compiled == nullptr) {
    std::array<PCRE2_UCHAR, 160> reason{};
    pcre2_get_error_message(error, reason.data(), reason.size());
    return Error{ErrorKind::kData,
                 std::string(origin) + ": the expression " + std::string(rule.substr(0, 80)) +
                     " is wrong: " + reinterpret_cast<const char*>(reason.data()),
                 "correct the file, or use another tokenizer"};
  }
  pcre2_jit_compile(code->compiled.get(), PCRE2_JIT_COMPLETE);  // without it slower, no less
  return Pattern(std::move(code));
}

struct Matcher::Memory {
  std::unique_ptr<pcre2_match_data, MatchDeleter> data{pcre2_match_data_create(1, nullptr)};
  std::unique_ptr<pcre2_match_context, ContextDeleter> context{pcre2_match_context_create(nullptr)};
};

Matcher::Matcher() : memory_(std::make_unique<Memory>()) {
  pcre2_set_match_limit(memory_->context.get(), kMostSteps);
}
Matcher::Matcher(Matcher&&) noexcept = default;
Matcher::~Matcher() = default;

bool Matcher::find(const Pattern& pattern, std::string_view text, std::size_t from, Span& found) {
  const int matched = pcre2_match(pattern.code_->compiled.get(), units(text), text.size(), from,
                                  PCRE2_NO_UTF_CHECK, memory_->data.get(), memory_->context.get());
  gave_up_ = matched < 0 && matched != PCRE2_ERROR_NOMATCH;
  if (matched <= 0) {
    return false;
  }
  const PCRE2_SIZE* span = pcre2_get_ovector_pointer(memory_->data.get());
  found = {span[0], span[1]};
  return true;
}

}  // namespace lathe
