// What a model wants of its tokenizer, whatever kind it is: text to ids, ids to text, and the ids
// that mean something to the model rather than to a reader.
#pragma once

#include <cstdint>
#include <memory>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "engine/base/result.h"

namespace lathe {

// Ids of the marks that a model uses; -1 where it has none.
struct SpecialTokens {
  std::int32_t bos = -1;
  std::int32_t eos = -1;
  std::int32_t pad = -1;
  std::int32_t unknown = -1;
  bool add_bos = false;  // a text begins with bos
  bool add_eos = false;  // and ends with eos
};

// Encodes; remembers the words it has seen. One per thread.
class TextEncoder {
 public:
  virtual ~TextEncoder() = default;
  // Appends the ids of `text`, any bytes at all. With `marks` a special token that is written out
  // in the text ("<|im_end|>") becomes its id, as in a rendered chat template; without, it is text
  // like any other. Adds no bos or eos.
  virtual void encode(std::string_view text, bool marks, std::vector<std::int32_t>& out) = 0;
};

// Immutable; one may serve many threads.
class TextTokenizer {
 public:
  virtual ~TextTokenizer() = default;

  // One more than the largest id.
  virtual std::int64_t vocab_size() const = 0;
  // "byte-level BPE, 49152 tokens".
  virtual std::string description() const = 0;
  virtual std::unique_ptr<TextEncoder> encoder() const = 0;
  // The bytes that an id stands for in the middle of a text; of a mark its name; empty for ids
  // without a meaning.
  virtual std::string token_bytes(std::int32_t id) const = 0;
  // Whether the id is a mark for the model, which a reader does not see.
  virtual bool is_mark(std::int32_t id) const = 0;
  // Whether the first piece of a text begins with a space that the encoder put there.
  virtual bool pads_first_space() const { return false; }
  // The id of a mark or piece by its name in the tokenizer's file; -1 if there is none.
  virtual std::int32_t find(std::string_view name) const = 0;

  const SpecialTokens& special() const { return special_; }
  void set_special(const SpecialTokens& special) { special_ = special; }

  // Ids of one whole text, with bos and eos where the model wants them.
  std::vector<std::int32_t> encode(std::string_view text, bool marks = false) const;
  // The text of the ids; marks by their names where `with_marks`, else left out.
  std::string decode(std::span<const std::int32_t> ids, bool with_marks = false) const;

 private:
  SpecialTokens special_;
};

// Gives generated text as soon as its characters are whole.
class TextStream {
 public:
  // The tokenizer must outlive the stream.
  explicit TextStream(const TextTokenizer& tokenizer) : tokenizer_(&tokenizer) {}
  // The characters that this id completes; marks give nothing.
  std::string push(std::int32_t id);
  // What is left at the end, an unfinished character as U+FFFD.
  std::string finish();

 private:
  const TextTokenizer* tokenizer_;
  std::string waiting_;
};

}  // namespace lathe
