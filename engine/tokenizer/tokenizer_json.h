// Reads the tokenizer of a Hugging Face folder: tokenizer.json (the BPE models of the tokenizers
// library) with the marks that tokenizer_config.json names.
#pragma once

#include <memory>
#include <string_view>

#include "engine/tokenizer/bpe_tokenizer.h"

namespace lathe {

// `text` is tokenizer.json, `config` tokenizer_config.json (empty: there is none); `origin` names
// the file in errors. kData where the file is damaged, and where it asks for a model, normaliser,
// pre-tokenizer or option that is not known: it is named.
Result<std::unique_ptr<TextTokenizer>> read_tokenizer_json(std::string_view text,
                                                           std::string_view config,
                                                           std::string_view origin);

// The same up to the parts of which the tokenizer is made, for writing it in another format.
Result<BpeParts> read_tokenizer_parts(std::string_view text, std::string_view config,
                                      std::string_view origin);

}  // namespace lathe
