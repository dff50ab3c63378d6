// What a model is asked, as the ids that it was trained to see: plain text, or a conversation in
// its own chat template; and the ids with which it ends an answer.
#pragma once

#include <cstdint>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "engine/base/result.h"
#include "engine/lm/language_model.h"
#include "engine/tokenizer/chat_template.h"
#include "engine/tokenizer/text_tokenizer.h"

namespace lathe {

// `source`: the template as the model brings it. kData where it cannot be read.
Result<ChatRenderer> chat_renderer(std::string_view source, const TextTokenizer& tokenizer);

// A text that the model is to go on with: its first token where the model wants one, no last. Not
// empty, unless the text is and the model has no first token.
std::vector<std::int32_t> encode_prompt(const TextTokenizer& tokenizer, std::string_view text);

// A conversation up to where the assistant is to answer. kUsage where the template refuses it.
Result<std::vector<std::int32_t>> encode_chat(const TextTokenizer& tokenizer,
                                              const ChatRenderer& chat,
                                              std::span<const ChatMessage> messages);

// How a prompt is put.
struct PromptForm {
  bool chat = false;   // as a user's words in the model's chat template; else as text
  std::string system;  // what the template's system says, if anything
};

// The ids of a prompt. Precondition: the model has a tokenizer. kData where a chat template is
// wanted and there is none.
Result<std::vector<std::int32_t>> prompt_ids(const LanguageModel& model, std::string_view prompt,
                                             const PromptForm& form);

// The ids that end a text or a turn: the model's own end, and the marks with which the common
// templates end a turn, where the tokenizer has them.
std::vector<std::int32_t> stop_ids(const TextTokenizer& tokenizer);

}  // namespace lathe
