// Renders a model's chat template: the small Jinja program that models bring with them
// (tokenizer_config.json's chat_template, the GGUF key tokenizer.chat_template) and that turns a
// conversation into the one text the model was tuned on. Debian has no Jinja for C++, and the
// libraries that exist recurse without limit on templates that come from strangers' files; so this
// is an interpreter of the part of Jinja that chat templates use. What it does not know it refuses.
#pragma once

#include <functional>
#include <memory>
#include <span>
#include <string>
#include <string_view>

#include "engine/base/result.h"

namespace lathe {

namespace jinja {
struct Program;
}

struct ChatMessage {
  std::string role;  // "system", "user", "assistant", or what else the template knows
  std::string content;
};

// A conversation as a model wants it. With `answer_next` the text ends where the assistant is to go
// on. Errors as ChatTemplate::render().
using ChatRenderer =
    std::function<Result<std::string>(std::span<const ChatMessage> messages, bool answer_next)>;

struct ChatOptions {
  bool add_generation_prompt = true;  // end with the words that begin the assistant's answer
  std::string bos_token;              // the texts of the tokenizer's special tokens
  std::string eos_token;
};

// A parsed template. Cheap to copy; render() may be called by several threads at once.
class ChatTemplate {
 public:
  // kData, with the line, where the text is not a template or needs a part of Jinja that is not
  // known here. Filters, tests, functions and methods are looked up when they are reached, as a
  // template may name some in branches (tools, images) that a plain conversation never enters.
  static Result<ChatTemplate> parse(std::string_view source);

  // The prompt, with the special tokens written out as text: encode it without adding a first token
  // where the template writes bos_token itself. The template sees messages, add_generation_prompt,
  // bos_token and eos_token, and tools and documents as none; there is no clock, so templates that
  // can write today's date write the date they fall back to.
  // kData where the template fails, kUsage where it refuses the messages (raise_exception).
  Result<std::string> render(std::span<const ChatMessage> messages,
                             const ChatOptions& options) const;

 private:
  explicit ChatTemplate(std::shared_ptr<const jinja::Program> program);

  std::shared_ptr<const jinja::Program> program_;
};

}  // namespace lathe
