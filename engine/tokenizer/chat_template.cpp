// See chat_template.h.
#include "engine/tokenizer/chat_template.h"

#include "engine/tokenizer/jinja/parser.h"
#include "engine/tokenizer/jinja/renderer.h"

namespace lathe {
namespace {

using jinja::Run;
using jinja::Value;

// Line 1 stands for the messages, which have no line of their own.
Value message_list(Run& run, std::span<const ChatMessage> messages) {
  std::vector<Value> list;
  for (const ChatMessage& message : messages) {
    list.push_back(run.map(
        1, {{"role", run.text(1, message.role)}, {"content", run.text(1, message.content)}}));
  }
  return run.list(1, std::move(list));
}

}  // namespace

ChatTemplate::ChatTemplate(std::shared_ptr<const jinja::Program> program)
    : program_(std::move(program)) {}

Result<ChatTemplate> ChatTemplate::parse(std::string_view source) {
  Result<jinja::Program> program = jinja::parse_program(source);
  if (!program) {
    return program.error();
  }
  return ChatTemplate(std::make_shared<const jinja::Program>(std::move(*program)));
}

Result<std::string> ChatTemplate::render(std::span<const ChatMessage> messages,
                                         const ChatOptions& options) const {
  Run run;
  const jinja::Variables variables{{"messages", message_list(run, messages)},
                                   {"add_generation_prompt", options.add_generation_prompt},
                                   {"bos_token", run.text(1, options.bos_token)},
                                   {"eos_token", run.text(1, options.eos_token)},
                                   {"tools", jinja::None{}},
                                   {"documents", jinja::None{}}};
  return jinja::render_program(*program_, variables, run);
}

}  // namespace lathe
