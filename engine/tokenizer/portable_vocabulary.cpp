// See portable_vocabulary.h.
#include "engine/tokenizer/portable_vocabulary.h"

#include <algorithm>
#include <set>

#include "engine/tokenizer/byte_alphabet.h"
#include "engine/tokenizer/token_type.h"

namespace lathe {
namespace {

constexpr std::string_view kEndMarkText = "<|end|>";

Error unportable(const std::string& origin, const std::string& what) {
  return {
      ErrorKind::kData, origin + ": " + what,
      "the weights can be written without it; give the other program its tokenizer another way"};
}

bool is_byte_token(const std::string& token) {
  return token.size() == 6 && token.starts_with("<0x") && token.back() == '>';
}

// The types that marks and spellings give; what has no text is unused.
void set_types(const BpeParts& parts, GgufVocabulary& vocabulary) {
  std::vector<std::string>& tokens = vocabulary.tokens;
  vocabulary.types.assign(tokens.size(), kNormalToken);
  for (const Mark& mark : parts.marks) {
    const auto id = static_cast<std::size_t>(mark.id);
    if (id >= tokens.size()) {
      tokens.resize(id + 1);
      vocabulary.types.resize(id + 1, kNormalToken);
    }
    tokens[id] = mark.text;
    vocabulary.types[id] = mark.special ? kControlToken : kUserToken;
  }
  for (std::size_t id = 0; id < tokens.size(); ++id) {
    if (tokens[id].empty()) {
      tokens[id] = "[PAD" + std::to_string(id) + "]";
      vocabulary.types[id] = kUnusedToken;
    } else if (!parts.bytes && is_byte_token(tokens[id])) {
      vocabulary.types[id] = kByteToken;
    }
  }
  if (!parts.bytes && vocabulary.special.unknown >= 0) {
    vocabulary.types[static_cast<std::size_t>(vocabulary.special.unknown)] = kUnknownToken;
  }
}

// SentencePiece merges the pair whose whole has the best score: the earlier the merge, the better.
void set_scores(const BpeParts& parts, GgufVocabulary& vocabulary) {
  std::unordered_map<std::string_view, std::size_t> ids;
  for (std::size_t id = 0; id < vocabulary.tokens.size(); ++id) {
    ids.emplace(vocabulary.tokens[id], id);
  }
  const float worst = -static_cast<float>(parts.merges.size());
  vocabulary.scores.assign(vocabulary.tokens.size(), worst);
  for (std::size_t at = parts.merges.size(); at-- > 0;) {
    const auto whole = ids.find(parts.merges[at].first + parts.merges[at].second);
    if (whole != ids.end()) {
      vocabulary.scores[whole->second] = -static_cast<float>(at);
    }
  }
}

}  // namespace

Result<PortableVocabulary> portable_vocabulary(const BpeParts& parts) {
  PortableVocabulary out;
  GgufVocabulary& vocabulary = out.vocabulary;
  vocabulary.tokens = parts.tokens;
  vocabulary.special = parts.special;
  vocabulary.origin = parts.origin;
  for (const Mark& mark : parts.marks) {
    if (mark.strips_left || mark.strips_right) {
      out.losses.push_back("the mark " + mark.text + " no longer takes the spaces beside it");
    }
  }
  set_types(parts, vocabulary);
  if (!parts.bytes) {
    if (!parts.rules.empty()) {
      return unportable(parts.origin, "a tokenizer on characters that cuts words has no such form");
    }
    vocabulary.model = "llama";
    vocabulary.add_space_prefix = parts.first_space != FirstSpace::kNever;
    if (parts.first_space == FirstSpace::kFirst) {
      out.losses.emplace_back(
          "a space is put before the text after each mark, not the first alone");
    }
    if (parts.first_space_once && vocabulary.add_space_prefix) {
      out.losses.emplace_back("a space is put before a text that begins with one, too");
    }
    if (!parts.bytes_as_last_resort) {
      out.losses.emplace_back("characters without a token become bytes, not the unknown token");
    }
    set_scores(parts, vocabulary);
    return out;
  }
  vocabulary.model = "gpt2";
  vocabulary.pre = pre_tokenizer_name(parts.rules);
  if (vocabulary.pre.empty()) {
    return unportable(parts.origin, "its rules for cutting words have no name in that format");
  }
  if (parts.space_before_text) {
    return unportable(parts.origin, "it puts a space before a text, which that format cannot say");
  }
  if (parts.whole_words_first != pre_tokenizer_is_llama3(vocabulary.pre)) {
    out.losses.emplace_back("whether a word that is a token is merged follows the rule's name");
  }
  for (const auto& [left, right] : parts.merges) {
    vocabulary.merges.push_back(left + " " + right);
  }
  return out;
}

Result<PortableVocabulary> portable_vocabulary(const Tokenizer& corpus) {
  PortableVocabulary out;
  GgufVocabulary& vocabulary = out.vocabulary;
  vocabulary.origin = "the corpus' tokenizer";
  vocabulary.model = "gpt2";
  vocabulary.pre = "gpt-2";
  vocabulary.special = {.bos = kEndMark, .eos = kEndMark};
  std::set<std::string> seen;
  for (std::int32_t id = 0; id < kFirstMergeId + static_cast<std::int32_t>(corpus.merges().size());
       ++id) {
    std::string token(id == kEndMark ? kEndMarkText : "");
    for (const char byte : corpus.token_bytes(id)) {
      token += byte_symbol(static_cast<unsigned char>(byte));
    }
    if (!seen.insert(token).second) {
      return unportable(vocabulary.origin, "two of its tokens have the bytes " + token);
    }
    vocabulary.tokens.push_back(std::move(token));
    vocabulary.types.push_back(id == kEndMark ? kControlToken : kNormalToken);
  }
  for (const Merge& merge : corpus.merges()) {
    vocabulary.merges.push_back(vocabulary.tokens[static_cast<std::size_t>(merge.left)] + " " +
                                vocabulary.tokens[static_cast<std::size_t>(merge.right)]);
  }
  fill_up(vocabulary, corpus.vocab_size());
  return out;
}

void fill_up(GgufVocabulary& vocabulary, std::int64_t size) {
  const std::size_t had = vocabulary.tokens.size();
  const auto wanted = static_cast<std::size_t>(size);
  CHECK(had <= wanted, "no more tokens than ids");
  if (vocabulary.types.empty()) {
    vocabulary.types.assign(had, kNormalToken);
  }
  for (std::size_t id = had; id < wanted; ++id) {
    vocabulary.tokens.push_back("[PAD" + std::to_string(id) + "]");
  }
  vocabulary.types.resize(wanted, kUnusedToken);
  if (!vocabulary.scores.empty()) {
    const float worst = *std::min_element(vocabulary.scores.begin(), vocabulary.scores.end());
    vocabulary.scores.resize(wanted, worst);
  }
}

}  // namespace lathe
