// The two kinds of tokenizers under one face.
#include "engine/data/text_coder.h"

#include <algorithm>

namespace lathe {

TextCoder make_coder(std::shared_ptr<const TextTokenizer> tokenizer) {
  const SpecialTokens& special = tokenizer->special();
  const std::shared_ptr<TextEncoder> encoder = tokenizer->encoder();
  return {.encode = [tokenizer, encoder](
                        std::string_view text, bool marks,
                        std::vector<std::int32_t>& out) { encoder->encode(text, marks, out); },
          .decode = [tokenizer](
                        std::span<const std::int32_t> ids) { return tokenizer->decode(ids, true); },
          .begin = special.add_bos ? special.bos : -1,
          .end = special.eos,
          .prefix = special.bos >= 0 ? special.bos : std::max(0, special.eos),
          .knows_marks = true,
          .vocab_size = tokenizer->vocab_size()};
}

TextCoder make_coder(std::shared_ptr<const Tokenizer> tokenizer) {
  const auto encoder = std::make_shared<Encoder>(*tokenizer);
  return {
      .encode = [tokenizer, encoder](
                    std::string_view text, bool,
                    std::vector<std::int32_t>& out) { encoder->encode(text, out); },
      .decode = [tokenizer](std::span<const std::int32_t> ids) { return tokenizer->decode(ids); },
      .begin = -1,
      .end = kEndMark,
      .prefix = kEndMark,
      .knows_marks = false,
      .vocab_size = tokenizer->vocab_size()};
}

}  // namespace lathe
