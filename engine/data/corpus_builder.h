// From text to a token file: trains the tokenizer on the training part and encodes both parts.
#pragma once

#include <filesystem>

#include "engine/base/result.h"
#include "engine/data/corpus_pieces.h"
#include "engine/data/data_config.h"
#include "engine/data/text_coder.h"
#include "engine/data/token_source.h"

namespace lathe {

// A corpus is large, its most frequent words are known long before its end: a BPE tokenizer is
// trained on this much of the training part at most.
constexpr std::int64_t kTokenizerTrainingBytes = 64 << 20;

// Writes the token file of `corpus` into `folder`, of the model's tokenizer where it brings one.
// kData where a file cannot be read any more, kDisk where the cache cannot be written.
Result<void> build_token_file(const DataConfig& config, const ModelEncoding& model,
                              const Corpus& corpus, const std::filesystem::path& folder,
                              const CorpusProgress& progress);

}  // namespace lathe
