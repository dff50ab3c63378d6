// What an evaluation needs of a model: where it computes, how it reads text, how far back it sees.
#pragma once

#include <cstdint>
#include <functional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "engine/base/result.h"
#include "engine/nn/transformer.h"
#include "engine/tokenizer/chat_template.h"

namespace lathe {

struct EvalModel {
  Backend* backend = nullptr;
  Transformer* transformer = nullptr;
  ModelConfig config = {};  // of the transformer
  std::int64_t vocab_size = 0;
  std::int64_t context = 0;  // tokens of input that a forward pass may have
  std::int32_t prefix_id =
      0;  // begins what has no context: BOS, or the end mark where there is none
  // Ids of a text; with `special` those that the tokenizer puts around every text (a BOS) as well.
  std::function<std::vector<std::int32_t>(std::string_view text, bool special)> encode;
  // Ids of a conversation in the model's own chat template, up to where the assistant is to answer;
  // empty where it brings none.
  std::function<Result<std::vector<std::int32_t>>(std::span<const ChatMessage>)> encode_chat = {};
  // For tasks that let it write: text of ids, and the ids that end a text.
  std::function<std::string(std::span<const std::int32_t> ids)> decode = {};
  std::vector<std::int32_t> end_ids = {};
};

// Told how much of `total` units of work is done; false stops the evaluation (kInterrupted).
using EvalProgress = std::function<bool(std::int64_t done, std::int64_t total)>;

}  // namespace lathe
