// Samples as the text that a model reads, with the parts that it is to learn to write.
#pragma once

#include <span>
#include <string>
#include <vector>

#include "engine/base/result.h"
#include "engine/data/data_config.h"
#include "engine/data/sample.h"
#include "engine/tokenizer/chat_template.h"

namespace lathe {

// ChatML: "<|im_start|>role\ncontent<|im_end|>\n" for each message.
Result<std::string> chatml(std::span<const ChatMessage> messages, bool answer_next);

// A part of a rendered sample.
struct PromptPart {
  std::string text;
  bool is_answer = false;
};

struct RenderedSample {
  std::vector<PromptPart> parts;
  // The text writes out the marks of a chat template, which begin and end it; else it is plain.
  bool has_marks = false;
  // One question and one answer, which are encoded together (joint_encoding.h).
  bool joint = false;
};

// What data.prompt means for this kind: auto is `own`, the model's template, where there is one,
// else alpaca for instruct and chatml for chat. kUsage for a conversation in alpaca's prompt, which
// has room for one answer.
class SampleRenderer {
 public:
  static Result<SampleRenderer> make(const DataConfig& config, ChatRenderer own);

  // kData where a template refuses the sample, or renders its beginning otherwise than alone.
  Result<RenderedSample> render(const Sample& sample) const;

 private:
  ChatRenderer chat_;  // empty: alpaca's prompts
};

}  // namespace lathe
