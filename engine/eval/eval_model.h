// What an evaluation needs of a model: where it computes, how it reads text, how far back it sees.
#pragma once

#include <cstdint>
#include <functional>
#include <string>
#include <string_view>
#include <vector>

#include "engine/nn/transformer.h"

namespace lathe {

struct EvalModel {
  Backend* backend = nullptr;
  Transformer* transformer = nullptr;
  std::int64_t vocab_size = 0;
  std::int64_t context = 0;  // tokens of input that a forward pass may have
  std::int32_t prefix_id =
      0;  // begins what has no context: BOS, or the end mark where there is none
  // Ids of a text; with `special` those that the tokenizer puts around every text (a BOS) as well.
  std::function<std::vector<std::int32_t>(std::string_view text, bool special)> encode;
};

// Told how much of `total` units of work is done; false stops the evaluation (kInterrupted).
using EvalProgress = std::function<bool(std::int64_t done, std::int64_t total)>;

}  // namespace lathe
