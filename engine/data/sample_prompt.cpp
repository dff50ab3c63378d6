// Alpaca's two prompts word for word; chat templates turn by turn.
#include "engine/data/sample_prompt.h"

#include <string_view>
#include <utility>

namespace lathe {
namespace {

// tatsu-lab/stanford_alpaca, train.py: PROMPT_DICT.
constexpr std::string_view kAlpacaWithInput =
    "Below is an instruction that describes a task, paired with an input that provides further "
    "context. Write a response that appropriately completes the request.\n\n### Instruction:\n";
constexpr std::string_view kAlpacaAlone =
    "Below is an instruction that describes a task. Write a response that appropriately completes "
    "the request.\n\n### Instruction:\n";

RenderedSample render_alpaca(const Instruction& sample) {
  std::string prompt(sample.input.empty() ? kAlpacaAlone : kAlpacaWithInput);
  prompt += sample.instruction;
  if (!sample.input.empty()) {
    prompt += "\n\n### Input:\n" + sample.input;
  }
  prompt += "\n\n### Response:";
  return {.parts = {{std::move(prompt), false}, {sample.output, true}}};
}

Conversation as_conversation(const Instruction& sample) {
  return {{"user",
           sample.input.empty() ? sample.instruction : sample.instruction + "\n\n" + sample.input},
          {"assistant", sample.output}};
}

Error not_by_turns() {
  return {ErrorKind::kData,
          "the chat template renders the turns before an answer otherwise than the whole, so that "
          "the answer cannot be told from them",
          "set data.prompt=chatml, or train on conversations of one answer"};
}

// The answers are what each assistant message adds to the text that asks for it. What a template
// writes behind an answer (its end mark) belongs to it: the model must learn to stop.
Result<RenderedSample> render_chat(const Conversation& messages, const ChatRenderer& chat) {
  RenderedSample rendered{.parts = {}, .has_marks = true, .joint = false};
  const std::span<const ChatMessage> all(messages);
  std::string done;
  const auto add = [&](const std::string& text, bool is_answer) {
    const bool fits = text.size() >= done.size() && text.compare(0, done.size(), done) == 0;
    if (fits && text.size() > done.size()) {
      rendered.parts.push_back({text.substr(done.size()), is_answer});
      done = text;
    }
    return fits;
  };
  for (std::size_t turn = 0; turn < all.size(); ++turn) {
    if (all[turn].role != "assistant") {
      continue;
    }
    const auto asked = chat(all.first(turn), true);
    const auto answered = asked ? chat(all.first(turn + 1), false) : asked;
    if (!answered) {
      return answered.error();
    }
    if (!add(*asked, false) || !add(*answered, true)) {
      return not_by_turns();
    }
  }
  return rendered;  // turns behind the last answer teach nothing
}

}  // namespace

Result<std::string> chatml(std::span<const ChatMessage> messages, bool answer_next) {
  std::string text;
  for (const ChatMessage& message : messages) {
    text += "<|im_start|>" + message.role + "\n" + message.content + "<|im_end|>\n";
  }
  return text + (answer_next ? "<|im_start|>assistant\n" : "");
}

Result<SampleRenderer> SampleRenderer::make(const DataConfig& config, ChatRenderer own) {
  SampleRenderer renderer;
  switch (config.prompt) {
    case PromptKind::kAuto:
      renderer.chat_ =
          own ? std::move(own) : (config.kind == DataKind::kChat ? ChatRenderer(chatml) : nullptr);
      break;
    case PromptKind::kAlpaca:
      if (config.kind == DataKind::kChat) {
        return Error{ErrorKind::kUsage,
                     "data.prompt=alpaca has room for one question and one answer, data.kind=chat "
                     "for more",
                     "set data.prompt=auto or chatml"};
      }
      break;
    case PromptKind::kChatml:
      renderer.chat_ = chatml;
      break;
  }
  return renderer;
}

Result<RenderedSample> SampleRenderer::render(const Sample& sample) const {
  if (const auto* ready = std::get_if<PromptAnswer>(&sample)) {
    return RenderedSample{.parts = {{ready->prompt, false}, {ready->response, true}},
                          .has_marks = false,
                          .joint = ready->joint};
  }
  if (const auto* messages = std::get_if<Conversation>(&sample)) {
    return render_chat(*messages, chat_);
  }
  const auto& instruction = std::get<Instruction>(sample);
  return chat_ ? render_chat(as_conversation(instruction), chat_)
               : Result<RenderedSample>(render_alpaca(instruction));
}

}  // namespace lathe
