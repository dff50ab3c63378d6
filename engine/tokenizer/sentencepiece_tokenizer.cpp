// See sentencepiece_tokenizer.h. The model's wire format (protocol buffers) is written by hand: its
// generated header is not part of the library's package, and five fields are enough.
#include "engine/tokenizer/sentencepiece_tokenizer.h"

#include <sentencepiece_processor.h>

#include <algorithm>
#include <cstring>
#include <exception>
#include <new>

#include "engine/tokenizer/mark_finder.h"
#include "engine/tokenizer/sentencepiece_check.h"
#include "engine/tokenizer/token_type.h"

namespace lathe {
namespace {

constexpr std::string_view kSpaceSymbol = "\xE2\x96\x81";

class SentencePieceTokenizer final : public TextTokenizer {
 public:
  explicit SentencePieceTokenizer(std::unique_ptr<sentencepiece::SentencePieceProcessor> processor)
      : processor_(std::move(processor)), marks_(control_pieces()) {
    SpecialTokens special;
    special.bos = processor_->bos_id();
    special.eos = processor_->eos_id();
    special.pad = processor_->pad_id();
    special.unknown = processor_->unk_id();
    special.add_bos = special.bos >= 0;
    set_special(special);
  }

  std::int64_t vocab_size() const override { return processor_->GetPieceSize(); }
  std::string description() const override {
    return "SentencePiece, " + std::to_string(vocab_size()) + " tokens";
  }
  std::unique_ptr<TextEncoder> encoder() const override;
  std::string token_bytes(std::int32_t id) const override;
  bool is_mark(std::int32_t id) const override { return in_range(id) && processor_->IsControl(id); }
  // The library's own answer is a text of which the first space is a dummy; asked of the library.
  bool pads_first_space() const override { return pads_; }
  std::int32_t find(std::string_view name) const override {
    const int id = processor_->PieceToId(name);
    return processor_->IdToPiece(id) == name ? id : -1;
  }

 private:
  friend class SentencePieceEncoder;
  bool in_range(std::int32_t id) const { return id >= 0 && id < processor_->GetPieceSize(); }
  std::vector<Mark> control_pieces() const {
    std::vector<Mark> marks;
    for (int id = 0; id < processor_->GetPieceSize(); ++id) {
      if (processor_->IsControl(id) || processor_->IsUnknown(id)) {
        marks.push_back({.text = processor_->IdToPiece(id), .id = id});
      }
    }
    return marks;
  }
  bool asks_for_first_space() const {
    std::vector<std::string> pieces;
    return processor_->Encode("a", &pieces).ok() && !pieces.empty() &&
           pieces.front().rfind(kSpaceSymbol, 0) == 0;
  }

  std::unique_ptr<sentencepiece::SentencePieceProcessor> processor_;
  MarkFinder marks_;
  bool pads_ = asks_for_first_space();
};

std::string SentencePieceTokenizer::token_bytes(std::int32_t id) const {
  if (!in_range(id) || processor_->IsUnused(id)) {
    return {};
  }
  const std::string& piece = processor_->IdToPiece(id);
  if (processor_->IsByte(id)) {
    return std::string(1, static_cast<char>(std::strtol(piece.c_str() + 3, nullptr, 16)));
  }
  std::string text;
  for (std::size_t at = 0; at < piece.size();) {
    const bool space = piece.compare(at, kSpaceSymbol.size(), kSpaceSymbol) == 0;
    text += space ? ' ' : piece[at];
    at += space ? kSpaceSymbol.size() : 1;
  }
  return text;
}

class SentencePieceEncoder final : public TextEncoder {
 public:
  explicit SentencePieceEncoder(const SentencePieceTokenizer& tokenizer) : tokenizer_(tokenizer) {}

  void encode(std::string_view text, bool marks, std::vector<std::int32_t>& out) override {
    for (const MarkFinder::Piece& piece : tokenizer_.marks_.cut(text, marks)) {
      if (piece.mark != nullptr) {
        out.push_back(piece.mark->id);
        continue;
      }
      std::vector<int> ids;
      // Bytes that are no UTF-8 become U+FFFD there. The library fails where a character is a
      // control piece, which no sound model has: such a text is unknown.
      if (!tokenizer_.processor_->Encode(piece.text, &ids).ok()) {
        ids.assign(1, tokenizer_.processor_->unk_id());
      }
      out.insert(out.end(), ids.begin(), ids.end());
    }
  }

 private:
  const SentencePieceTokenizer& tokenizer_;
};

std::unique_ptr<TextEncoder> SentencePieceTokenizer::encoder() const {
  return std::make_unique<SentencePieceEncoder>(*this);
}

// Protocol buffers: a field is its number and wire type, then its value.
class Message {
 public:
  void number(unsigned field, std::uint64_t value) {
    varint(field << 3U);
    varint(value);
  }
  void real(unsigned field, float value) {
    varint((field << 3U) | 5U);
    char bytes[4];
    std::memcpy(bytes, &value, sizeof value);
    bytes_.append(bytes, sizeof bytes);
  }
  void text(unsigned field, std::string_view value) {
    varint((field << 3U) | 2U);
    varint(value.size());
    bytes_ += value;
  }
  void message(unsigned field, const Message& value) { text(field, value.bytes_); }
  const std::string& bytes() const { return bytes_; }

 private:
  void varint(std::uint64_t value) {
    for (; value >= 0x80; value >>= 7U) {
      bytes_ += static_cast<char>(0x80U | (value & 0x7FU));
    }
    bytes_ += static_cast<char>(value);
  }
  std::string bytes_;
};

// Negative ids ("there is none") as protocol buffers write negative numbers.
std::uint64_t id_field(std::int32_t id) {
  return static_cast<std::uint64_t>(static_cast<std::int64_t>(id));
}

Result<std::unique_ptr<sentencepiece::SentencePieceProcessor>> load(std::string_view model,
                                                                    std::string_view origin) {
  if (const std::string damage = sentencepiece_damage(model); !damage.empty()) {
    return Error{ErrorKind::kData, std::string(origin) + " is no SentencePiece model: " + damage,
                 "fetch the model's tokenizer.model again"};
  }
  auto processor = std::make_unique<sentencepiece::SentencePieceProcessor>();
  std::string reason;
  try {
    const auto status = processor->LoadFromSerializedProto(model);
    reason = status.ok() ? "" : status.ToString();
  } catch (const std::bad_alloc&) {
    throw;
  } catch (const std::exception& thrown) {  // by its tries: a piece that they cannot hold
    reason = thrown.what();
  }
  if (!reason.empty()) {
    return Error{ErrorKind::kData, std::string(origin) + " is no SentencePiece model: " + reason,
                 "fetch the model's tokenizer.model again"};
  }
  return processor;
}

// The library wants exactly one. Files call padding unknown too, and the unknown token a control
// token (Phi 3), but one key names it; without the key it is the first of the type, else the first.
std::int32_t unknown_piece(const GgufVocabulary& vocabulary) {
  if (vocabulary.special.unknown >= 0) {
    return vocabulary.special.unknown;
  }
  const auto found = std::find(vocabulary.types.begin(), vocabulary.types.end(), kUnknownToken);
  return found == vocabulary.types.end()
             ? 0
             : static_cast<std::int32_t>(found - vocabulary.types.begin());
}

}  // namespace

std::string sentencepiece_model(const GgufVocabulary& vocabulary) {
  Message model;
  const std::int32_t unknown = unknown_piece(vocabulary);
  for (std::size_t id = 0; id < vocabulary.tokens.size(); ++id) {
    Message piece;
    piece.text(1, vocabulary.tokens[id]);
    piece.real(2, vocabulary.scores.empty() ? 0.0f : vocabulary.scores[id]);
    std::int32_t type = vocabulary.types.empty() ? kNormalToken : vocabulary.types[id];
    type = static_cast<std::int32_t>(id) == unknown ? kUnknownToken
           : type == kUnknownToken                  ? kUnusedToken
                                                    : type;
    piece.number(3, static_cast<std::uint64_t>(type));
    model.message(1, piece);
  }
  Message trainer;
  trainer.number(3, 2);   // model_type BPE
  trainer.number(35, 1);  // byte_fallback
  trainer.number(40, id_field(unknown));
  trainer.number(41, id_field(vocabulary.special.bos));
  trainer.number(42, id_field(vocabulary.special.eos));
  trainer.number(43, id_field(vocabulary.special.pad));
  model.message(2, trainer);
  Message normalizer;
  normalizer.text(1, "identity");
  normalizer.number(3, vocabulary.add_space_prefix ? 1 : 0);
  normalizer.number(4, 0);  // runs of spaces stay
  normalizer.number(5, 1);  // a space is written U+2581
  model.message(3, normalizer);
  return model.bytes();
}

Result<std::unique_ptr<TextTokenizer>> read_sentencepiece(std::string_view model,
                                                          std::string_view origin) {
  auto processor = load(model, origin);
  if (!processor) {
    return processor.error();
  }
  return std::unique_ptr<TextTokenizer>(
      std::make_unique<SentencePieceTokenizer>(std::move(*processor)));
}

Result<GgufVocabulary> read_sentencepiece_vocabulary(std::string_view model,
                                                     std::string_view origin) {
  auto loaded = load(model, origin);
  if (!loaded) {
    return loaded.error();
  }
  const sentencepiece::SentencePieceProcessor& pieces = **loaded;
  GgufVocabulary vocabulary;
  vocabulary.model = "llama";
  vocabulary.origin = origin;
  for (int id = 0; id < pieces.GetPieceSize(); ++id) {
    vocabulary.tokens.push_back(pieces.IdToPiece(id));
    vocabulary.scores.push_back(pieces.GetScore(id));
    vocabulary.types.push_back(pieces.IsUnknown(id)   ? kUnknownToken
                               : pieces.IsControl(id) ? kControlToken
                               : pieces.IsUnused(id)  ? kUnusedToken
                               : pieces.IsByte(id)    ? kByteToken
                                                      : kNormalToken);
  }
  const SentencePieceTokenizer tokenizer(std::move(*loaded));
  vocabulary.special = tokenizer.special();
  vocabulary.add_space_prefix = tokenizer.pads_first_space();
  return vocabulary;
}

}  // namespace lathe
