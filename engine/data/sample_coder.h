// Rendered samples as token ids with their targets, whichever tokenizer makes them.
#pragma once

#include <cstdint>
#include <vector>

#include "engine/data/sample_prompt.h"
#include "engine/data/text_coder.h"

namespace lathe {

// Inputs and what is to be learnt: targets[i] is the token behind ids[i] where that belongs to an
// answer (its end included), else kIgnoredTarget. The last token is a target only.
struct CodedSample {
  std::vector<std::int32_t> ids;
  std::vector<std::int32_t> targets;
  bool has_targets() const;
};

// Each part is encoded by itself, as a prompt is when the model is asked: no token spans the edge
// between question and answer. Those of a joint sample are encoded together.
CodedSample code_sample(const RenderedSample& sample, const TextCoder& coder);

// Leaves out what is beyond `length` tokens; whether there was any.
bool cut_to(std::int64_t length, CodedSample& sample);

}  // namespace lathe
