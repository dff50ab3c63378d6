// See corpus_tokenizer.h.
#include "engine/tokenizer/corpus_tokenizer.h"

#include <utility>

namespace lathe {
namespace {

constexpr std::string_view kEndName = "<|end|>";

class CorpusEncoder final : public TextEncoder {
 public:
  explicit CorpusEncoder(std::shared_ptr<const Tokenizer> tokenizer)
      : tokenizer_(std::move(tokenizer)), encoder_(*tokenizer_) {}
  void encode(std::string_view text, bool, std::vector<std::int32_t>& out) override {
    encoder_.encode(text, out);
  }

 private:
  std::shared_ptr<const Tokenizer> tokenizer_;
  Encoder encoder_;
};

class CorpusTokenizer final : public TextTokenizer {
 public:
  explicit CorpusTokenizer(std::shared_ptr<const Tokenizer> tokenizer)
      : tokenizer_(std::move(tokenizer)) {
    SpecialTokens special;
    special.bos = kEndMark;
    special.eos = kEndMark;
    set_special(special);
  }

  std::int64_t vocab_size() const override { return tokenizer_->vocab_size(); }
  std::string description() const override {
    return (tokenizer_->merges().empty() ? "bytes, " : "byte-level BPE, ") +
           std::to_string(vocab_size()) + " tokens";
  }
  std::unique_ptr<TextEncoder> encoder() const override {
    return std::make_unique<CorpusEncoder>(tokenizer_);
  }
  std::string token_bytes(std::int32_t id) const override {
    return std::string(is_mark(id) ? kEndName : tokenizer_->token_bytes(id));
  }
  bool is_mark(std::int32_t id) const override { return id == kEndMark; }
  std::int32_t find(std::string_view name) const override {
    return name == kEndName ? kEndMark : -1;
  }

 private:
  std::shared_ptr<const Tokenizer> tokenizer_;
};

}  // namespace

std::unique_ptr<TextTokenizer> as_text_tokenizer(std::shared_ptr<const Tokenizer> tokenizer) {
  return std::make_unique<CorpusTokenizer>(std::move(tokenizer));
}

}  // namespace lathe
