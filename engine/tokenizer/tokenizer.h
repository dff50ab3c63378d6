// Byte-level byte-pair encoding (Sennrich et al. 2016, algorithm 1; on bytes as in GPT-2): text to
// token ids and back without loss. Ids 0-255 are the bytes, 256 ends a document, each further one
// is a merge of two lower ids, in the order in which training found them.
#pragma once

#include <cstdint>
#include <functional>
#include <span>
#include <string>
#include <string_view>
#include <unordered_map>
#include <vector>

#include "engine/base/result.h"
#include "engine/tokenizer/word_splitter.h"

namespace lathe {

constexpr std::int32_t kEndMark = 256;
constexpr std::int32_t kFirstMergeId = 257;

struct Merge {
  std::int32_t left = 0;
  std::int32_t right = 0;
  bool operator==(const Merge&) const = default;
  // For hash maps.
  std::uint64_t key() const {
    return (static_cast<std::uint64_t>(static_cast<std::uint32_t>(left)) << 32) |
           static_cast<std::uint32_t>(right);
  }
};

// A map from words that can be asked with a view of the text.
struct WordHash {
  using is_transparent = void;
  std::size_t operator()(std::string_view word) const {
    return std::hash<std::string_view>{}(word);
  }
};
template <typename Value>
using WordMap = std::unordered_map<std::string, Value, WordHash, std::equal_to<>>;

// Immutable; one may serve many threads, each with its Encoder.
class Tokenizer {
 public:
  // 256 bytes and the end mark, no merges.
  static Tokenizer bytes();
  // vocab_size >= 257 + merges; ids that no merge uses never come out of an encoder and decode to
  // nothing. kData where a merge names an id that is not below its own, or makes a token longer
  // than a word can be.
  static Result<Tokenizer> bpe(std::vector<Merge> merges, std::int64_t vocab_size);
  // The text of a tokenizer file (README.md here); `origin` names it in errors, which are kData.
  static Result<Tokenizer> parse(std::string_view text, std::string_view origin);
  std::string serialise() const;

  std::int64_t vocab_size() const { return vocab_size_; }
  std::span<const Merge> merges() const { return merges_; }
  // The bytes of one token; empty for the end mark and for ids without a meaning.
  std::string_view token_bytes(std::int32_t id) const;
  // The bytes of the ids, with the end mark as "<|end|>".
  std::string decode(std::span<const std::int32_t> ids) const;

 private:
  std::int64_t vocab_size_ = kFirstMergeId;
  std::vector<Merge> merges_;
  std::vector<std::string> pieces_;  // by id
};

// Encodes with one tokenizer, remembering the words it has seen. One per thread.
class Encoder {
 public:
  // The tokenizer must outlive the encoder.
  explicit Encoder(const Tokenizer& tokenizer);
  // Appends the ids of `text`, any bytes at all; no end mark.
  void encode(std::string_view text, std::vector<std::int32_t>& out);

 private:
  const std::vector<std::int32_t>& encode_word(std::string_view word);

  bool has_merges_;
  std::unordered_map<std::uint64_t, std::int32_t> merge_ids_;  // by Merge::key()
  WordMap<std::vector<std::int32_t>> known_words_;
  WordSplitter splitter_;
};

}  // namespace lathe
