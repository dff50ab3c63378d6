// Samples for fine-tuning as their files hold them: an instruction with its answer, a conversation,
// or a prompt that is rendered already. Files come from anywhere; every field is checked.
#pragma once

#include <cstdint>
#include <string>
#include <variant>
#include <vector>

#include "engine/base/result.h"
#include "engine/data/data_config.h"
#include "engine/data/row_file.h"
#include "engine/tokenizer/chat_template.h"

namespace lathe {

// Alpaca's schema (Taori et al. 2023): `input` may be empty.
struct Instruction {
  std::string instruction;
  std::string input;
  std::string output;
};

// Of roles system, user, assistant and tool.
using Conversation = std::vector<ChatMessage>;

// A prompt that is to be used as it is, and its answer.
struct PromptAnswer {
  std::string prompt;
  std::string response;
  bool joint = false;  // encoded as one text, as evaluations score an answer (joint_encoding.h)
};

using Sample = std::variant<Instruction, Conversation, PromptAnswer>;

// Limits of one sample, beyond which a file is refused.
constexpr std::size_t kLongestSample = std::size_t{1} << 20;  // bytes
constexpr std::size_t kMostMessages = 512;

// The sample in a row: of kind instruct {instruction, input?, output} or {prompt, response}, of
// kind chat {messages: [{role, content}, ...]}. kData, naming place and field, for all else.
Result<Sample> read_sample(const DataRow& row, DataKind kind);

// Bytes of its texts.
std::int64_t text_bytes(const Sample& sample);

// A hash of its texts alone: equal samples have equal hashes wherever they stand.
std::uint64_t hash_of(const Sample& sample, std::uint64_t seed);

}  // namespace lathe
