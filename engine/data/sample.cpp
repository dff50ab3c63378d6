// Schemas and their checks.
#include "engine/data/sample.h"

#include <algorithm>
#include <array>
#include <optional>
#include <string_view>

#include "engine/base/hash.h"

namespace lathe {
namespace {

constexpr std::array<std::string_view, 4> kRoles = {"system", "user", "assistant", "tool"};

constexpr std::string_view kInstructRemedy =
    "an instruct sample is {\"instruction\": text, \"input\": text or absent, \"output\": text} or "
    "{\"prompt\": text, \"response\": text}; data.kind=chat reads {\"messages\": [...]}";
constexpr std::string_view kChatRemedy =
    "a chat sample is {\"messages\": [{\"role\": system, user, assistant or tool, \"content\": "
    "text}, ...]}; data.kind=instruct reads {\"instruction\": ...}";

Error sample_error(const DataRow& row, const std::string& problem, std::string_view remedy) {
  return {ErrorKind::kData, row.place + " " + problem, std::string(remedy)};
}

Result<std::string> text_of(const DataRow& row, const Json& object, std::string_view name,
                            std::string_view remedy) {
  const auto found = object.find(name);
  if (found == object.end() || !found->is_string()) {
    return sample_error(
        row,
        "has no text \"" + std::string(name) + "\"" +
            (found == object.end() ? "" : ", but a JSON " + std::string(found->type_name())),
        remedy);
  }
  return found->get<std::string>();
}

Result<Sample> read_instruct(const DataRow& row) {
  const bool rendered = row.value.contains("prompt") && !row.value.contains("instruction");
  const auto asked = text_of(row, row.value, rendered ? "prompt" : "instruction", kInstructRemedy);
  if (!asked) {
    return asked.error();
  }
  const auto answer = text_of(row, row.value, rendered ? "response" : "output", kInstructRemedy);
  if (!answer) {
    return answer.error();
  }
  if (rendered) {
    return Sample(PromptAnswer{*asked, *answer});
  }
  Instruction sample{.instruction = *asked, .input = {}, .output = *answer};
  if (row.value.contains("input") && !row.value["input"].is_null()) {
    const auto input = text_of(row, row.value, "input", kInstructRemedy);
    if (!input) {
      return input.error();
    }
    sample.input = *input;
  }
  return Sample(std::move(sample));
}

Result<Sample> read_chat(const DataRow& row) {
  const auto found = row.value.find("messages");
  if (found == row.value.end() || !found->is_array() || found->empty()) {
    return sample_error(row, "has no list \"messages\" with something in it", kChatRemedy);
  }
  if (found->size() > kMostMessages) {
    return sample_error(row,
                        "has " + std::to_string(found->size()) + " messages; " +
                            std::to_string(kMostMessages) + " are read at most",
                        "split the conversation");
  }
  Conversation conversation;
  for (const Json& message : *found) {
    if (!message.is_object()) {
      return sample_error(row, "has a message that is no object", kChatRemedy);
    }
    const auto role = text_of(row, message, "role", kChatRemedy);
    const auto content = text_of(row, message, "content", kChatRemedy);
    if (!role || !content) {
      return role ? content.error() : role.error();
    }
    if (std::find(kRoles.begin(), kRoles.end(), *role) == kRoles.end()) {
      return sample_error(row, "has a message of role \"" + role->substr(0, 40) + "\"",
                          kChatRemedy);
    }
    conversation.push_back({*role, *content});
  }
  return Sample(std::move(conversation));
}

std::vector<std::string_view> texts_of(const Sample& sample) {
  if (const auto* one = std::get_if<Instruction>(&sample)) {
    return {one->instruction, one->input, one->output};
  }
  if (const auto* one = std::get_if<PromptAnswer>(&sample)) {
    return {one->prompt, one->response};
  }
  std::vector<std::string_view> texts;
  for (const ChatMessage& message : std::get<Conversation>(sample)) {
    texts.push_back(message.role);
    texts.push_back(message.content);
  }
  return texts;
}

}  // namespace

Result<Sample> read_sample(const DataRow& row, DataKind kind) {
  auto sample = kind == DataKind::kChat ? read_chat(row) : read_instruct(row);
  if (sample && text_bytes(*sample) > static_cast<std::int64_t>(kLongestSample)) {
    return sample_error(row,
                        "has " + std::to_string(text_bytes(*sample)) + " bytes of text; " +
                            std::to_string(kLongestSample) + " are read at most",
                        "split the sample, or read long texts with data.kind=text");
  }
  return sample;
}

std::int64_t text_bytes(const Sample& sample) {
  std::size_t bytes = 0;
  for (const std::string_view text : texts_of(sample)) {
    bytes += text.size();
  }
  return static_cast<std::int64_t>(bytes);
}

std::uint64_t hash_of(const Sample& sample, std::uint64_t seed) {
  std::string all;
  for (const std::string_view text : texts_of(sample)) {
    all += std::to_string(text.size()) + ":";
    all += text;
  }
  return xxh3(all.data(), all.size(), seed);
}

}  // namespace lathe
