// See gguf_vocabulary.h.
#include "engine/tokenizer/gguf_vocabulary.h"

#include "engine/tokenizer/bpe_tokenizer.h"
#include "engine/tokenizer/sentencepiece_tokenizer.h"
#include "engine/tokenizer/token_type.h"

namespace lathe {
namespace {

Error bad(const GgufVocabulary& vocabulary, const std::string& what) {
  return {ErrorKind::kData, vocabulary.origin + ": " + what,
          "convert the model again, or use one with another tokenizer"};
}

Result<void> check(const GgufVocabulary& vocabulary) {
  const std::size_t count = vocabulary.tokens.size();
  if (count == 0) {
    return bad(vocabulary, "its tokenizer has no tokens");
  }
  if (!vocabulary.types.empty() && vocabulary.types.size() != count) {
    return bad(vocabulary, "its tokenizer has " + std::to_string(count) + " tokens and " +
                               std::to_string(vocabulary.types.size()) + " token types");
  }
  if (!vocabulary.scores.empty() && vocabulary.scores.size() != count) {
    return bad(vocabulary, "its tokenizer has " + std::to_string(count) + " tokens and " +
                               std::to_string(vocabulary.scores.size()) + " scores");
  }
  for (const std::int32_t id : {vocabulary.special.bos, vocabulary.special.eos,
                                vocabulary.special.pad, vocabulary.special.unknown}) {
    if (id >= static_cast<std::int64_t>(count)) {
      return bad(vocabulary, "a special token has the id " + std::to_string(id) +
                                 ", but there are " + std::to_string(count) + " tokens");
    }
  }
  return {};
}

Result<std::unique_ptr<TextTokenizer>> make_bpe(GgufVocabulary vocabulary) {
  const auto rules = pre_tokenizer_rules(vocabulary.pre.empty() ? "gpt-2" : vocabulary.pre);
  if (!rules) {
    return bad(vocabulary, rules.error().message);
  }
  BpeParts parts;
  parts.origin = vocabulary.origin;
  parts.special = vocabulary.special;
  parts.rules.assign(rules->begin(), rules->end());
  parts.whole_words_first = pre_tokenizer_is_llama3(vocabulary.pre);
  parts.drops_unknown = true;
  for (const std::string& merge : vocabulary.merges) {
    const std::size_t space = merge.find(' ', 1);
    if (space == std::string::npos || space + 1 >= merge.size()) {
      return bad(vocabulary, "a merge is \"" + merge.substr(0, 60) + "\", not two tokens");
    }
    parts.merges.emplace_back(merge.substr(0, space), merge.substr(space + 1));
  }
  for (std::size_t id = 0; id < vocabulary.types.size(); ++id) {
    const std::int32_t type = vocabulary.types[id];
    if (type == kControlToken || type == kUserToken) {
      parts.marks.push_back({.text = vocabulary.tokens[id],
                             .id = static_cast<std::int32_t>(id),
                             .special = type == kControlToken});
    }
  }
  parts.tokens = std::move(vocabulary.tokens);
  return make_bpe_tokenizer(std::move(parts));
}

}  // namespace

Result<std::unique_ptr<TextTokenizer>> make_tokenizer(GgufVocabulary vocabulary) {
  if (const Result<void> fits = check(vocabulary); !fits) {
    return fits.error();
  }
  if (vocabulary.model == "gpt2") {
    return make_bpe(std::move(vocabulary));
  }
  if (vocabulary.model != "llama") {
    return bad(vocabulary, "its tokenizer is of the model " + vocabulary.model +
                               "; known are gpt2 (byte-level BPE) and llama (SentencePiece)");
  }
  auto tokenizer = read_sentencepiece(sentencepiece_model(vocabulary), vocabulary.origin);
  if (tokenizer) {
    SpecialTokens special = (*tokenizer)->special();
    const SpecialTokens& wanted = vocabulary.special;
    special.bos = wanted.bos >= 0 ? wanted.bos : special.bos;
    special.eos = wanted.eos >= 0 ? wanted.eos : special.eos;
    special.pad = wanted.pad >= 0 ? wanted.pad : special.pad;
    special.add_bos = wanted.add_bos;
    special.add_eos = wanted.add_eos;
    (*tokenizer)->set_special(special);
  }
  return tokenizer;
}

}  // namespace lathe
