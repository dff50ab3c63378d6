// Rendered samples as token ids with their targets, whichever tokenizer makes them.
#pragma once

#include <cstdint>
#include <functional>
#include <memory>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "engine/data/sample_prompt.h"
#include "engine/tokenizer/text_tokenizer.h"
#include "engine/tokenizer/tokenizer.h"

namespace lathe {

// What coding a sample wants of a tokenizer.
struct SampleCoder {
  // Appends the ids of a text; with `marks` the written-out marks of a template become their ids.
  std::function<void(std::string_view text, bool marks, std::vector<std::int32_t>& out)> encode;
  std::function<std::string(std::span<const std::int32_t>)> decode;
  std::int32_t begin = -1;   // before a plain text; -1: nothing
  std::int32_t end = -1;     // behind an answer in plain text; -1: nothing
  bool knows_marks = false;  // a template's marks are ids, not text
  std::int64_t vocab_size = 0;
};

SampleCoder make_coder(std::shared_ptr<const TextTokenizer> tokenizer);
SampleCoder make_coder(std::shared_ptr<const Tokenizer> tokenizer);

// Inputs and what is to be learnt: targets[i] is the token behind ids[i] where that belongs to an
// answer (its end included), else kIgnoredTarget. The last token is a target only.
struct CodedSample {
  std::vector<std::int32_t> ids;
  std::vector<std::int32_t> targets;
  bool has_targets() const;
};

// Each part is encoded by itself, as a prompt is when the model is asked: no token spans the edge
// between question and answer.
CodedSample code_sample(const RenderedSample& sample, const SampleCoder& coder);

// Leaves out what is beyond `length` tokens; whether there was any.
bool cut_to(std::int64_t length, CodedSample& sample);

}  // namespace lathe
