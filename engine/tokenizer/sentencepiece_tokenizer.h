// SentencePiece tokenizers (Kudo & Richardson 2018) through their library: LLaMA 2's
// tokenizer.model, and the same vocabularies inside GGUF files.
#pragma once

#include <memory>
#include <string_view>

#include "engine/tokenizer/gguf_vocabulary.h"
#include "engine/tokenizer/text_tokenizer.h"

namespace lathe {

// `model`: the bytes of a tokenizer.model. kData where the library refuses them.
Result<std::unique_ptr<TextTokenizer>> read_sentencepiece(std::string_view model,
                                                          std::string_view origin);

// Its pieces, scores and types as GGUF files keep them.
Result<GgufVocabulary> read_sentencepiece_vocabulary(std::string_view model,
                                                     std::string_view origin);

// The serialised model of a GGUF vocabulary of model "llama": what its pieces, scores and types
// say, no normalisation, bytes as the last resort.
std::string sentencepiece_model(const GgufVocabulary& vocabulary);

}  // namespace lathe
