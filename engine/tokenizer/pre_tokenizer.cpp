// See pre_tokenizer.h.
#include "engine/tokenizer/pre_tokenizer.h"

#include <algorithm>
#include <string>

#include "engine/tokenizer/utf8.h"

namespace lathe {
namespace {

constexpr std::string_view kGpt2 =
    R"('s|'t|'re|'ve|'m|'ll|'d| ?\p{L}+| ?\p{N}+| ?[^\s\p{L}\p{N}]+|\s+(?!\S)|\s+)";
constexpr std::string_view kOneDigit = R"(\p{N})";
constexpr std::string_view kLlama3 =
    R"((?i:'s|'t|'re|'ve|'m|'ll|'d)|[^\r\n\p{L}\p{N}]?\p{L}+|\p{N}{1,3}| ?[^\s\p{L}\p{N}]+[\r\n]*|\s*[\r\n]+|\s+(?!\S)|\s+)";

// Searches of one text that may be given up. A rule that needs more was made to cost time, and a
// text of many pieces would pay for it at each.
constexpr int kPatience = 16;

// The first name is the one that is written.
struct NamedRules {
  std::vector<std::string_view> names;
  std::vector<std::string_view> rules;
  bool llama3 = false;
};

const std::vector<NamedRules>& named_rules() {
  static const std::vector<NamedRules> all = {
      {.names = {"deepseek-coder"},
       .rules = {R"([\r\n])", R"(\s?\p{L}+)", R"(\s?\p{P}+)",
                 R"([\x{4e00}-\x{9fa5}\x{800}-\x{4e00}\x{ac00}-\x{d7ff}]+)", kOneDigit}},
      {.names = {"gpt-2", "gpt2"}, .rules = {kGpt2}},
      {.names = {"llama-bpe", "llama-v3", "llama3"}, .rules = {kLlama3}, .llama3 = true},
      {.names = {"smollm", "command-r", "refact", "starcoder"}, .rules = {kOneDigit, kGpt2}},
  };
  return all;
}

const NamedRules* find_rules(std::string_view name) {
  for (const NamedRules& one : named_rules()) {
    if (std::find(one.names.begin(), one.names.end(), name) != one.names.end()) {
      return &one;
    }
  }
  return nullptr;
}

}  // namespace

Result<std::vector<std::string_view>> pre_tokenizer_rules(std::string_view name) {
  if (const NamedRules* found = find_rules(name); found != nullptr) {
    return found->rules;
  }
  std::string known;
  for (const NamedRules& one : named_rules()) {
    for (const std::string_view spelling : one.names) {
      known += (known.empty() ? "" : ", ") + std::string(spelling);
    }
  }
  return Error{ErrorKind::kData,
               "the tokenizer cuts words by the rule " + std::string(name) + ", which is not known",
               "known are " + known + "; convert the model with its tokenizer.json"};
}

bool pre_tokenizer_is_llama3(std::string_view name) {
  const NamedRules* found = find_rules(name);
  return found != nullptr && found->llama3;
}

std::string pre_tokenizer_name(const std::vector<std::string>& rules) {
  for (const NamedRules& one : named_rules()) {
    if (std::equal(rules.begin(), rules.end(), one.rules.begin(), one.rules.end())) {
      return std::string(one.names.front());
    }
  }
  return "";
}

Result<PreTokenizer> PreTokenizer::compile(const std::vector<std::string_view>& rules,
                                           std::string_view origin) {
  PreTokenizer splitter;
  for (const std::string_view rule : rules) {
    Result<Pattern> pattern = Pattern::compile(rule, origin);
    if (!pattern) {
      return pattern.error();
    }
    splitter.patterns_.push_back(std::move(*pattern));
  }
  return splitter;
}

void PreTokenizer::split(Matcher& matcher, std::string_view text,
                         std::vector<std::string_view>& words) const {
  std::size_t begin = 0;
  int patience = kPatience;
  for (std::size_t at = 0; at < text.size();) {
    const std::size_t length = utf8_length(text, at);
    if (length > 0) {
      at += length;
      continue;
    }
    split_text(matcher, text.substr(begin, at - begin), patience, words);
    words.push_back(text.substr(at, 1));
    begin = ++at;
  }
  split_text(matcher, text.substr(begin), patience, words);
}

void PreTokenizer::split_text(Matcher& matcher, std::string_view text, int& patience,
                              std::vector<std::string_view>& words) const {
  if (text.empty()) {
    return;
  }
  std::vector<std::string_view> pieces{text};
  for (const Pattern& pattern : patterns_) {
    std::vector<std::string_view> finer;
    for (const std::string_view piece : pieces) {
      std::size_t done = 0;
      Matcher::Span found;
      while (done < piece.size() && patience > 0 && matcher.find(pattern, piece, done, found) &&
             found.end > found.begin) {
        if (found.begin > done) {
          finer.push_back(piece.substr(done, found.begin - done));
        }
        finer.push_back(piece.substr(found.begin, found.end - found.begin));
        done = found.end;
      }
      patience -= matcher.gave_up() ? 1 : 0;
      if (done < piece.size()) {
        finer.push_back(piece.substr(done));
      }
    }
    pieces = std::move(finer);
  }
  words.insert(words.end(), pieces.begin(), pieces.end());
}

}  // namespace lathe
