// Writes a vocabulary as the tokenizer files of a Hugging Face folder.
#pragma once

#include <string>

#include "engine/tokenizer/gguf_vocabulary.h"

namespace lathe {

// tokenizer.json for the tokenizers library: byte-level BPE for vocabularies of model "gpt2", BPE
// on characters with bytes as the last resort for "llama". kData where a token is not UTF-8.
// Precondition: make_tokenizer() takes the vocabulary.
Result<std::string> tokenizer_json(const GgufVocabulary& vocabulary);

// tokenizer_config.json: the marks' names, the chat template (empty: none), the context (0: open).
std::string tokenizer_config_json(const GgufVocabulary& vocabulary,
                                  const std::string& chat_template, std::int64_t context);

}  // namespace lathe
