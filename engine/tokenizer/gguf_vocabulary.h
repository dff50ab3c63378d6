// The tokenizer that a GGUF file carries in its keys tokenizer.ggml.*.
#pragma once

#include <memory>
#include <string>
#include <vector>

#include "engine/tokenizer/text_tokenizer.h"

namespace lathe {

// The keys as they stand in the file; whoever opens it fills them in.
struct GgufVocabulary {
  std::string model;                // tokenizer.ggml.model: "gpt2" or "llama"
  std::string pre;                  // tokenizer.ggml.pre; empty: none
  std::vector<std::string> tokens;  // by id
  std::vector<float> scores;        // "llama"; empty or one per token
  std::vector<std::int32_t> types;  // as token_type.h says; empty or one per token
  std::vector<std::string> merges;  // "gpt2": "left right", by rank
  SpecialTokens special;
  bool add_space_prefix = true;  // "llama"
  std::string origin;            // the file, for errors
};

// kData where keys do not fit together, and for a model or rule that is not known.
Result<std::unique_ptr<TextTokenizer>> make_tokenizer(GgufVocabulary vocabulary);

}  // namespace lathe
