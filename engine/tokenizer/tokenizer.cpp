// Encoding by lowest merge first, decoding by concatenation, and the tokenizer file.
#include "engine/tokenizer/tokenizer.h"

#include <limits>
#include <utility>

#include "engine/base/json.h"

namespace lathe {
namespace {

constexpr std::string_view kFormat = "lathe-tokenizer";
constexpr int kVersion = 1;
// As data.vocab_size allows; bounds what a damaged file can make us allocate.
constexpr std::int64_t kLargestVocab = 262144;
constexpr std::size_t kRememberedWords = 1U << 17;

Error bad_tokenizer(std::string message) {
  return Error{.kind = ErrorKind::kData,
               .message = std::move(message),
               .remedy = "delete the file; it is made anew from the corpus"};
}

std::vector<std::string> byte_pieces() {
  std::vector<std::string> pieces;
  for (int byte = 0; byte < 256; ++byte) {
    pieces.emplace_back(1, static_cast<char>(byte));
  }
  pieces.emplace_back();  // the end mark
  return pieces;
}

Result<Merge> read_merge(const Json& entry, std::string_view origin) {
  const bool is_pair = entry.is_array() && entry.size() == 2;
  Merge merge;
  for (const bool left : {true, false}) {
    const Json* id = is_pair ? &entry[left ? 0 : 1] : nullptr;
    if (id == nullptr || !id->is_number_unsigned() ||
        id->get<std::uint64_t>() >= static_cast<std::uint64_t>(kLargestVocab)) {
      return bad_tokenizer(std::string(origin) + ": a merge must be a pair of ids, not " +
                           json_text(entry).substr(0, 60));
    }
    (left ? merge.left : merge.right) = id->get<std::int32_t>();
  }
  return merge;
}

}  // namespace

Tokenizer Tokenizer::bytes() {
  Tokenizer tokenizer;
  tokenizer.pieces_ = byte_pieces();
  return tokenizer;
}

Result<Tokenizer> Tokenizer::bpe(std::vector<Merge> merges, std::int64_t vocab_size) {
  const std::int64_t needed = kFirstMergeId + static_cast<std::int64_t>(merges.size());
  if (vocab_size < needed || vocab_size > kLargestVocab) {
    return bad_tokenizer("the tokenizer's vocab_size is " + std::to_string(vocab_size) +
                         "; with its merges it must be in " + std::to_string(needed) + " to " +
                         std::to_string(kLargestVocab));
  }
  Tokenizer tokenizer = bytes();
  tokenizer.vocab_size_ = vocab_size;
  for (const Merge& merge : merges) {
    const auto id = static_cast<std::int32_t>(tokenizer.pieces_.size());
    for (const std::int32_t part : {merge.left, merge.right}) {
      if (part < 0 || part >= id || part == kEndMark) {
        return bad_tokenizer("the tokenizer's merge " + std::to_string(id) + " names id " +
                             std::to_string(part) + ", which is no lower token");
      }
    }
    std::string piece = tokenizer.pieces_[merge.left] + tokenizer.pieces_[merge.right];
    if (piece.size() > kLongestWordBytes) {
      return bad_tokenizer("the tokenizer's merge " + std::to_string(id) + " is " +
                           std::to_string(piece.size()) + " bytes long; at most " +
                           std::to_string(kLongestWordBytes) + " are possible");
    }
    tokenizer.pieces_.push_back(std::move(piece));
  }
  tokenizer.merges_ = std::move(merges);
  return tokenizer;
}

Result<Tokenizer> Tokenizer::parse(std::string_view text, std::string_view origin) {
  const Result<Json> json = parse_json(text, origin);
  if (!json) {
    return bad_tokenizer(json.error().message);
  }
  const auto is = [&](const char* key, const Json& value) {
    return json->is_object() && json->contains(key) && json->at(key) == value;
  };
  if (!is("format", Json(kFormat)) || !is("version", Json(kVersion))) {
    return bad_tokenizer(std::string(origin) + " is not a tokenizer of format version " +
                         std::to_string(kVersion));
  }
  const auto vocab = json->find("vocab_size");
  const auto list = json->find("merges");
  if (vocab == json->end() || !vocab->is_number_integer() || list == json->end() ||
      !list->is_array() || list->size() > static_cast<std::size_t>(kLargestVocab)) {
    return bad_tokenizer(std::string(origin) + " lacks vocab_size or merges");
  }
  std::vector<Merge> merges;
  for (const Json& entry : *list) {
    const Result<Merge> merge = read_merge(entry, origin);
    if (!merge) {
      return merge.error();
    }
    merges.push_back(*merge);
  }
  return bpe(std::move(merges), vocab->get<std::int64_t>());
}

std::string Tokenizer::serialise() const {
  Json list = Json::array();
  for (const Merge& merge : merges_) {
    list.push_back(Json::array({merge.left, merge.right}));
  }
  Json json = Json::object();
  json["format"] = kFormat;
  json["version"] = kVersion;
  json["vocab_size"] = vocab_size_;
  json["merges"] = std::move(list);
  return json_text(json);
}

std::string_view Tokenizer::token_bytes(std::int32_t id) const {
  const auto index = static_cast<std::size_t>(id);
  return id >= 0 && index < pieces_.size() ? std::string_view(pieces_[index]) : std::string_view();
}

std::string Tokenizer::decode(std::span<const std::int32_t> ids) const {
  std::string text;
  for (const std::int32_t id : ids) {
    text += id == kEndMark ? std::string_view("<|end|>") : token_bytes(id);
  }
  return text;
}

Encoder::Encoder(const Tokenizer& tokenizer) : has_merges_(!tokenizer.merges().empty()) {
  std::int32_t id = kFirstMergeId;
  for (const Merge& merge : tokenizer.merges()) {
    merge_ids_.try_emplace(merge.key(), id++);
  }
}

void Encoder::encode(std::string_view text, std::vector<std::int32_t>& out) {
  if (!has_merges_) {
    for (const char byte : text) {
      out.push_back(static_cast<unsigned char>(byte));
    }
    return;
  }
  splitter_.start(text);
  for (std::string_view word = splitter_.next(); !word.empty(); word = splitter_.next()) {
    const std::vector<std::int32_t>& ids = encode_word(word);
    out.insert(out.end(), ids.begin(), ids.end());
  }
}

const std::vector<std::int32_t>& Encoder::encode_word(std::string_view word) {
  if (const auto known = known_words_.find(word); known != known_words_.end()) {
    return known->second;
  }
  if (known_words_.size() >= kRememberedWords) {
    known_words_.clear();
  }
  std::vector<std::int32_t> ids;
  for (const char byte : word) {
    ids.push_back(static_cast<unsigned char>(byte));
  }
  for (;;) {
    std::int32_t best_id = std::numeric_limits<std::int32_t>::max();
    std::size_t best = 0;
    for (std::size_t i = 0; i + 1 < ids.size(); ++i) {
      const auto merged = merge_ids_.find(Merge{ids[i], ids[i + 1]}.key());
      if (merged != merge_ids_.end() && merged->second < best_id) {
        best_id = merged->second;
        best = i;
      }
    }
    if (best_id == std::numeric_limits<std::int32_t>::max()) {
      break;
    }
    ids[best] = best_id;
    ids.erase(ids.begin() + static_cast<std::ptrdiff_t>(best) + 1);
  }
  return known_words_.emplace(word, std::move(ids)).first->second;
}

}  // namespace lathe
