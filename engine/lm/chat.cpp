// See chat.h.
#include "engine/lm/chat.h"

#include <algorithm>
#include <array>

namespace lathe {
namespace {

// Ends of turns: ChatML, Llama 3, GPT-2's and StarCoder's texts, Gemma, Phi-3.
constexpr std::array<std::string_view, 5> kEnds = {"<|im_end|>", "<|eot_id|>", "<|endoftext|>",
                                                   "<end_of_turn>", "<|end|>"};

std::string name_of(const TextTokenizer& tokenizer, std::int32_t id) {
  return id < 0 ? "" : tokenizer.token_bytes(id);
}

}  // namespace

Result<ChatRenderer> chat_renderer(std::string_view source, const TextTokenizer& tokenizer) {
  auto parsed = ChatTemplate::parse(source);
  if (!parsed) {
    return parsed.error();
  }
  ChatOptions options{.add_generation_prompt = false,
                      .bos_token = name_of(tokenizer, tokenizer.special().bos),
                      .eos_token = name_of(tokenizer, tokenizer.special().eos)};
  return ChatRenderer([chat = std::move(*parsed), options = std::move(options)](
                          std::span<const ChatMessage> messages, bool answer_next) {
    ChatOptions now = options;
    now.add_generation_prompt = answer_next;
    return chat.render(messages, now);
  });
}

std::vector<std::int32_t> encode_prompt(const TextTokenizer& tokenizer, std::string_view text) {
  const SpecialTokens& marks = tokenizer.special();
  std::vector<std::int32_t> ids = tokenizer.encode(text);
  if (marks.add_eos && !ids.empty() && ids.back() == marks.eos) {
    ids.pop_back();  // the text goes on
  }
  if (ids.empty() && marks.bos >= 0) {
    ids.push_back(marks.bos);
  }
  return ids;
}

Result<std::vector<std::int32_t>> encode_chat(const TextTokenizer& tokenizer,
                                              const ChatRenderer& chat,
                                              std::span<const ChatMessage> messages) {
  const auto text = chat(messages, true);
  if (!text) {
    return text.error();
  }
  std::vector<std::int32_t> ids;
  tokenizer.encoder()->encode(*text, true, ids);
  return ids;
}

Result<std::vector<std::int32_t>> prompt_ids(const LanguageModel& model, std::string_view prompt,
                                             const PromptForm& form) {
  const TextTokenizer& tokenizer = *model.tokenizer();
  if (!form.chat) {
    return encode_prompt(tokenizer, prompt);
  }
  if (model.chat_template().empty()) {
    return Error{ErrorKind::kData, model.file().path().string() + " brings no chat template",
                 "give the prompt as text, without chat"};
  }
  const auto chat = chat_renderer(model.chat_template(), tokenizer);
  if (!chat) {
    return chat.error();
  }
  std::vector<ChatMessage> messages;
  if (!form.system.empty()) {
    messages.push_back({"system", form.system});
  }
  messages.push_back({"user", std::string(prompt)});
  return encode_chat(tokenizer, *chat, messages);
}

std::vector<std::int32_t> stop_ids(const TextTokenizer& tokenizer) {
  std::vector<std::int32_t> ids;
  const auto add = [&](std::int32_t id) {
    if (id >= 0 && std::find(ids.begin(), ids.end(), id) == ids.end()) {
      ids.push_back(id);
    }
  };
  add(tokenizer.special().eos);
  for (const std::string_view name : kEnds) {
    const std::int32_t id = tokenizer.find(name);
    add(id >= 0 && tokenizer.is_mark(id) ? id : -1);
  }
  return ids;
}

}  // namespace lathe
