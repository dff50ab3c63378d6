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

}  // namespace

Result<std::vector<std::string_view>> pre_tokenizer_rules(std::string_view name) {
  if (name == "gpt-2" || name == "gpt2") {
    return std::vector<std::string_view>{kGpt2};
  }
  if (name == "smollm" || name == "starcoder" || name == "command-r" || name == "refact") {
    return std::vector<std::string_view>{kOneDigit, kGpt2};
  }
  if (name == "llama-bpe" || name == "llama3" || name == "llama-v3") {
    return std::vector<std::string_view>{kLlama3};
  }
  if (name == "deepseek-coder") {
    return std::vector<std::string_view>{R"([\r\n])", R"(\s?\p{L}+)", R"(\s?\p{P}+)",
                                         R"([\x{4e00}-\x{9fa5}\x{800}-\x{4e00}\x{ac00}-\x{d7ff}]+)",
                                         kOneDigit};
  }
  return Error{
      ErrorKind::kData,
      "the tokenizer cuts words by the rule " + std::string(name) + ", which is not known",
      "known are gpt-2, smollm, starcoder, llama-bpe and deepseek-coder; convert the model "
      "with its tokenizer.json"};
}

std::string pre_tokenizer_name(const std::vector<std::string>& rules) {
  for (const char* name : {"gpt-2", "smollm", "llama-bpe", "deepseek-coder"}) {
    const auto known = pre_tokenizer_rules(name).value();
    if (std::equal(rules.begin(), rules.end(), known.begin(), known.end())) {
      return name;
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
  for (std::size_t at = 0; at < text.size();) {
    const std::size_t length = utf8_length(text, at);
    if (length > 0) {
      at += length;
      continue;
    }
    split_text(matcher, text.substr(begin, at - begin), words);
    words.push_back(text.substr(at, 1));
    begin = ++at;
  }
  split_text(matcher, text.substr(begin), words);
}

void PreTokenizer::split_text(Matcher& matcher, std::string_view text,
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
      while (done < piece.size() && matcher.find(pattern, piece, done, found) &&
             found.end > found.begin) {
        if (found.begin > done) {
          finer.push_back(piece.substr(done, found.begin - done));
        }
        finer.push_back(piece.substr(found.begin, found.end - found.begin));
        done = found.end;
      }
      if (done < piece.size()) {
        finer.push_back(piece.substr(done));
      }
    }
    pieces = std::move(finer);
  }
  words.insert(words.end(), pieces.begin(), pieces.end());
}

}  // namespace lathe
