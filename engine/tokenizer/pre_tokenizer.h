// Cuts text into the words inside which tokens may merge: a sequence of expressions, each of which
// cuts the pieces of the one before into its matches and what lies between them.
#pragma once

#include <string>
#include <string_view>
#include <vector>

#include "engine/tokenizer/pattern.h"

namespace lathe {

// Rules by the names that GGUF files use (tokenizer.ggml.pre).
//   gpt-2      Radford et al. 2019, as published with the model
//   smollm     digits one by one, then gpt-2 (SmolLM2, StarCoder, Command R, Refact)
//   llama-bpe  LLaMA 3: contractions in any case, up to three digits, line ends with what they end
//   deepseek-coder
// kData for a name that is not known.
Result<std::vector<std::string_view>> pre_tokenizer_rules(std::string_view name);

// Whether the tokenizers of that name leave a word that is a token unmerged and begin texts with
// bos where their file does not say; false for names that are not known.
bool pre_tokenizer_is_llama3(std::string_view name);

// The name of these rules; empty where they have none.
std::string pre_tokenizer_name(const std::vector<std::string>& rules);

class PreTokenizer {
 public:
  // kData where an expression is wrong.
  static Result<PreTokenizer> compile(const std::vector<std::string_view>& rules,
                                      std::string_view origin);

  // Appends the words of `text`; put together they are the text. Bytes that are not UTF-8 are words
  // of their own.
  void split(Matcher& matcher, std::string_view text, std::vector<std::string_view>& words) const;

 private:
  // `patience`: searches that may still be given up before rules are no longer asked.
  void split_text(Matcher& matcher, std::string_view text, int& patience,
                  std::vector<std::string_view>& words) const;

  std::vector<Pattern> patterns_;
};

}  // namespace lathe
