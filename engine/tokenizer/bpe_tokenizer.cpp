// See bpe_tokenizer.h.
#include "engine/tokenizer/bpe_tokenizer.h"

#include <array>
#include <cstdio>

#include "engine/tokenizer/byte_alphabet.h"
#include "engine/tokenizer/tokenizer.h"
#include "engine/tokenizer/utf8.h"

namespace lathe {
namespace {

constexpr std::string_view kSpaceSymbol = "\xE2\x96\x81";  // U+2581, SentencePiece's space
constexpr std::size_t kRememberedWords = 1U << 17U;
constexpr std::size_t kLongestRemembered = 64;

std::string byte_token(unsigned byte) {
  std::array<char, 8> text{};
  std::snprintf(text.data(), text.size(), "<0x%02X>", byte);
  return text.data();
}

// Text in UTF-8 has none of them, and some published vocabularies no token for them.
bool is_in_utf8(unsigned byte) {
  return byte < 0xC0 || (byte > 0xC1 && byte < 0xF5);
}

std::string replaced(std::string_view text, std::string_view from, std::string_view to) {
  std::string out;
  for (std::size_t at = 0; at < text.size();) {
    if (text.compare(at, from.size(), from) == 0) {
      out += to;
      at += from.size();
    } else {
      out += text[at++];
    }
  }
  return out;
}

class BpeTokenizer final : public TextTokenizer {
 public:
  BpeTokenizer(BpeParts parts, BpeMerger merger, PreTokenizer splitter)
      : parts_(std::move(parts)),
        merger_(std::move(merger)),
        splitter_(std::move(splitter)),
        marks_(parts_.marks) {
    set_special(parts_.special);
    for (unsigned byte = 0; byte < 256; ++byte) {
      byte_ids_[byte] = byte_id(byte);
      if (!parts_.bytes && byte_ids_[byte] >= 0) {
        bytes_of_ids_.emplace(byte_ids_[byte], static_cast<char>(byte));
      }
    }
    vocab_size_ = merger_.size();
    for (const Mark& mark : marks_.marks()) {
      vocab_size_ = std::max<std::int64_t>(vocab_size_, mark.id + 1);
    }
  }

  Result<void> check() const;
  std::int64_t vocab_size() const override { return vocab_size_; }
  std::string description() const override {
    return std::string(parts_.bytes ? "byte-level BPE, " : "character BPE with bytes, ") +
           std::to_string(vocab_size_) + " tokens";
  }
  std::unique_ptr<TextEncoder> encoder() const override;
  std::string token_bytes(std::int32_t id) const override;
  bool is_mark(std::int32_t id) const override {
    const Mark* mark = marks_.find(id);
    return mark != nullptr && mark->special;
  }
  bool pads_first_space() const override {
    return parts_.bytes ? parts_.space_before_text : parts_.first_space != FirstSpace::kNever;
  }
  std::int32_t find(std::string_view name) const override;

 private:
  friend class BpeEncoder;

  // A mark that is spelled like a byte's token stands for its own characters.
  std::int32_t byte_id(unsigned byte) const {
    if (!parts_.bytes) {
      return parts_.bytes_as_last_resort ? merger_.find(byte_token(byte)) : -1;
    }
    const std::int32_t id = merger_.find(byte_symbol(static_cast<unsigned char>(byte)));
    return marks_.find(id) == nullptr ? id : -1;
  }

  BpeParts parts_;
  BpeMerger merger_;
  PreTokenizer splitter_;
  MarkFinder marks_;
  std::array<std::int32_t, 256> byte_ids_{};
  std::unordered_map<std::int32_t, char> bytes_of_ids_;  // characters only
  std::int64_t vocab_size_ = 0;
};

Result<void> BpeTokenizer::check() const {
  for (unsigned byte = 0; byte < 256; ++byte) {
    if (byte_ids_[byte] < 0 && special().unknown < 0 && (is_in_utf8(byte) || !parts_.bytes)) {
      return Error{
          ErrorKind::kData,
          parts_.origin + ": the vocabulary has no token for the byte " + byte_token(byte) +
              " and no unknown token",
          "without one of them there are texts that cannot be encoded; use another tokenizer"};
    }
  }
  return {};
}

std::int32_t BpeTokenizer::find(std::string_view name) const {
  for (const Mark& mark : marks_.marks()) {
    if (mark.text == name) {
      return mark.id;
    }
  }
  return merger_.find(name);
}

std::string BpeTokenizer::token_bytes(std::int32_t id) const {
  if (const Mark* mark = marks_.find(id); mark != nullptr) {
    return mark->text;
  }
  const std::string_view token = merger_.token(id);
  if (parts_.bytes) {
    return bytes_of_symbols(token).value_or(std::string(token));
  }
  if (const auto byte = bytes_of_ids_.find(id); byte != bytes_of_ids_.end()) {
    return std::string(1, byte->second);
  }
  return replaced(token, kSpaceSymbol, " ");
}

class BpeEncoder final : public TextEncoder {
 public:
  explicit BpeEncoder(const BpeTokenizer& tokenizer) : tokenizer_(tokenizer) {}

  void encode(std::string_view text, bool marks, std::vector<std::int32_t>& out) override {
    bool first = true;
    for (const MarkFinder::Piece& piece : tokenizer_.marks_.cut(text, marks)) {
      if (piece.mark != nullptr) {
        out.push_back(piece.mark->id);
      } else {
        encode_text(piece.text, first, out);
      }
      first = false;
    }
  }

 private:
  void encode_text(std::string_view text, bool first, std::vector<std::int32_t>& out) {
    const BpeParts& parts = tokenizer_.parts_;
    if (parts.bytes) {
      if (parts.space_before_text && text.front() != ' ') {
        prepared_.assign(1, ' ');
        prepared_ += text;
        text = prepared_;
      }
    } else {
      const bool has_space = text.front() == ' ' || text.starts_with(kSpaceSymbol);
      const bool padded = (parts.first_space == FirstSpace::kAlways ||
                           (parts.first_space == FirstSpace::kFirst && first)) &&
                          !(parts.first_space_once && has_space);
      prepared_ = padded ? kSpaceSymbol : std::string_view();
      prepared_ += replaced(text, " ", kSpaceSymbol);
      text = prepared_;
    }
    words_.clear();
    tokenizer_.splitter_.split(matcher_, text, words_);
    for (const std::string_view word : words_) {
      append_word(word, out);
    }
  }

  void append_word(std::string_view word, std::vector<std::int32_t>& out) {
    if (const auto known = known_words_.find(word); known != known_words_.end()) {
      out.insert(out.end(), known->second.begin(), known->second.end());
      return;
    }
    std::vector<std::int32_t> ids = encode_word(word);
    out.insert(out.end(), ids.begin(), ids.end());
    if (word.size() <= kLongestRemembered) {
      if (known_words_.size() >= kRememberedWords) {
        known_words_.clear();
      }
      known_words_.emplace(word, std::move(ids));
    }
  }

  std::vector<std::int32_t> encode_word(std::string_view word) const {
    if (tokenizer_.parts_.whole_words_first) {
      if (const std::int32_t whole = whole_word(word); whole >= 0) {
        return {whole};
      }
    }
    std::vector<std::int32_t> ids;
    for (std::size_t at = 0; at < word.size();) {
      const std::size_t length =
          tokenizer_.parts_.bytes ? 1 : std::max<std::size_t>(1, utf8_length(word, at));
      append_symbol(word.substr(at, length), ids);
      at += length;
    }
    tokenizer_.merger_.merge(ids);
    return ids;
  }

  std::int32_t whole_word(std::string_view word) const {
    if (!tokenizer_.parts_.bytes) {
      return tokenizer_.merger_.find(word);
    }
    std::string symbols;
    for (const char byte : word) {
      symbols += byte_symbol(static_cast<unsigned char>(byte));
    }
    return tokenizer_.merger_.find(symbols);
  }

  // A byte, or a character with its bytes as the last resort.
  void append_symbol(std::string_view symbol, std::vector<std::int32_t>& ids) const {
    if (!tokenizer_.parts_.bytes) {
      if (const std::int32_t id = tokenizer_.merger_.find(symbol); id >= 0) {
        ids.push_back(id);
        return;
      }
    }
    const std::size_t had = ids.size();
    for (const char byte : symbol) {
      const std::int32_t id = byte_id(byte);
      if (id < 0) {
        ids.resize(had);
        append_unknown(byte, ids);
        return;
      }
      ids.push_back(id);
    }
  }

  // Of a byte that no UTF-8 has, what any reader of broken text makes: U+FFFD. Of another, nothing
  // where the model names no token for it, as the tokenizers library and llama.cpp do.
  void append_unknown(char byte, std::vector<std::int32_t>& ids) const {
    const std::int32_t unknown = tokenizer_.special().unknown;
    if (unknown < 0 || tokenizer_.parts_.drops_unknown) {
      if (!is_in_utf8(static_cast<unsigned char>(byte))) {
        append_replacement(ids);
      }
    } else if (!tokenizer_.parts_.joins_unknown || ids.empty() || ids.back() != unknown) {
      ids.push_back(unknown);
    }
  }

  void append_replacement(std::vector<std::int32_t>& ids) const {
    for (const char byte : std::string_view("\xEF\xBF\xBD")) {
      if (byte_id(byte) >= 0) {
        ids.push_back(byte_id(byte));
      }
    }
  }

  std::int32_t byte_id(char byte) const {
    return tokenizer_.byte_ids_[static_cast<unsigned char>(byte)];
  }

  const BpeTokenizer& tokenizer_;
  Matcher matcher_;
  std::string prepared_;
  std::vector<std::string_view> words_;
  WordMap<std::vector<std::int32_t>> known_words_;
};

std::unique_ptr<TextEncoder> BpeTokenizer::encoder() const {
  return std::make_unique<BpeEncoder>(*this);
}

}  // namespace

Result<std::unique_ptr<TextTokenizer>> make_bpe_tokenizer(BpeParts parts) {
  std::vector<std::pair<std::string_view, std::string_view>> merges(parts.merges.begin(),
                                                                    parts.merges.end());
  Result<BpeMerger> merger = BpeMerger::make(std::move(parts.tokens), merges, parts.origin);
  if (!merger) {
    return merger.error();
  }
  const std::vector<std::string_view> rules(parts.rules.begin(), parts.rules.end());
  Result<PreTokenizer> splitter = PreTokenizer::compile(rules, parts.origin);
  if (!splitter) {
    return splitter.error();
  }
  parts.merges.clear();
  auto tokenizer =
      std::make_unique<BpeTokenizer>(std::move(parts), std::move(*merger), std::move(*splitter));
  if (const Result<void> fits = tokenizer->check(); !fits) {
    return fits.error();
  }
  return std::unique_ptr<TextTokenizer>(std::move(tokenizer));
}

}  // namespace lathe
