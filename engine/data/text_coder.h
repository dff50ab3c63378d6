// Text as token ids, whichever tokenizer makes them: that of a corpus, or the one that a model
// brings.
#pragma once

#include <cstdint>
#include <functional>
#include <memory>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "engine/tokenizer/chat_template.h"
#include "engine/tokenizer/text_tokenizer.h"
#include "engine/tokenizer/tokenizer.h"

namespace lathe {

// How a model wants its text. Without a tokenizer it takes that of the corpus (data.tokenizer).
struct ModelEncoding {
  std::shared_ptr<const TextTokenizer> tokenizer;
  std::string digest;  // of the tokenizer: equal for equal ones
  ChatRenderer chat;   // empty: it has no template
};

// What coding a text wants of a tokenizer. Remembers words: one per thread.
struct TextCoder {
  // Appends the ids of a text; with `marks` the written-out marks of a template become their ids.
  std::function<void(std::string_view text, bool marks, std::vector<std::int32_t>& out)> encode;
  std::function<std::string(std::span<const std::int32_t>)> decode;
  std::int32_t begin = -1;   // before a text; -1: nothing
  std::int32_t end = -1;     // behind a text or an answer; -1: nothing
  std::int32_t prefix = 0;   // what a text is predicted from that nothing precedes
  bool knows_marks = false;  // a template's marks are ids, not text
  std::int64_t vocab_size = 0;
};

TextCoder make_coder(std::shared_ptr<const TextTokenizer> tokenizer);
TextCoder make_coder(std::shared_ptr<const Tokenizer> tokenizer);

}  // namespace lathe
