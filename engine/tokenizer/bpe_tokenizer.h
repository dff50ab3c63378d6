// Byte-pair tokenizers as models bring them: on bytes (GPT-2, LLaMA 3, SmolLM2, StarCoder) or on
// characters with bytes as the last resort (LLaMA 2).
#pragma once

#include <optional>
#include <vector>

#include "engine/tokenizer/bpe_merger.h"
#include "engine/tokenizer/mark_finder.h"
#include "engine/tokenizer/pre_tokenizer.h"
#include "engine/tokenizer/text_tokenizer.h"

namespace lathe {

// When the space that stands for the beginning of a word is put before a text (characters only).
enum class FirstSpace : std::uint8_t { kNever, kFirst, kAlways };

// What is read from a tokenizer's file, whatever its format.
struct BpeParts {
  std::vector<std::string> tokens;  // by id, as written in the file; empty: unused
  std::vector<std::pair<std::string, std::string>> merges;
  std::vector<Mark> marks;
  std::vector<std::string> rules;               // of the pre-tokenizer; none: a text is one word
  bool bytes = true;                            // tokens are written in the byte alphabet
  bool whole_words_first = false;               // a word that is a token is not merged (LLaMA 3)
  bool bytes_as_last_resort = true;             // characters: else what has no token is unknown
  bool space_before_text = false;               // of ByteLevel's add_prefix_space
  FirstSpace first_space = FirstSpace::kNever;  // characters: "▁" before a text
  bool first_space_once = false;                // but not before one that begins with a space
  bool joins_unknown = false;                   // unknown characters in a row are one id
  bool drops_unknown = false;                   // bytes: what has no token is left out
  SpecialTokens special;
  std::string origin;  // the file, for errors
};

// kData where the parts do not fit together: a byte of UTF-8 without an id, a token twice, a merge
// of unknown tokens, a rule that is no expression.
Result<std::unique_ptr<TextTokenizer>> make_bpe_tokenizer(BpeParts parts);

}  // namespace lathe
