// Any tokenizer in the form of GGUF's keys: the one form from which all formats are written.
#pragma once

#include <string>
#include <vector>

#include "engine/tokenizer/bpe_tokenizer.h"
#include "engine/tokenizer/gguf_vocabulary.h"
#include "engine/tokenizer/tokenizer.h"

namespace lathe {

struct PortableVocabulary {
  GgufVocabulary vocabulary;
  // What that form cannot say, a sentence each: ids may differ there.
  std::vector<std::string> losses;
};

// What tokenizer.json says. kData where its words are cut by rules that have no name in GGUF files,
// or a space is put before the text of a byte-level tokenizer.
Result<PortableVocabulary> portable_vocabulary(const BpeParts& parts);

// The tokenizer of a corpus; its end mark "<|end|>" both begins and ends texts. kData where two
// tokens have the same bytes, which those formats tell apart by nothing else.
Result<PortableVocabulary> portable_vocabulary(const Tokenizer& corpus);

// Unused tokens up to `size` ids. Precondition: there are no more than that.
void fill_up(GgufVocabulary& vocabulary, std::int64_t size);

}  // namespace lathe
