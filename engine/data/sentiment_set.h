// Finance sets of sentiment as their authors publish them, and the prompt that FinGPT puts them in
// (AI4Finance-Foundation/FinGPT, benchmarks): the same for training and for measuring.
#pragma once

#include <string>
#include <string_view>
#include <vector>

#include "engine/base/result.h"
#include "engine/data/data_config.h"

namespace lathe {

struct SentimentRow {
  std::string text;    // the news or the tweet
  std::string prompt;  // FinGPT's, with the text in it; ends in a space
  std::size_t label = 0;
  std::string place;  // "fpb.jsonl:12", for messages
};

struct SentimentSet {
  std::vector<std::string> labels;
  std::vector<SentimentRow> rows;
  SentimentLabels numbers = SentimentLabels::kAuto;  // the rule that was taken for numbers
};

// Rows {text or sentence, label or sentiment or sentiment_score}; FinLoRA's {context, target},
// whose labels are all targets of the file; or, in a .txt file, PhraseBank's own lines
// "sentence@label" (UTF-8 or Latin-1). kData for a row whose label is none.
Result<SentimentSet> read_sentiment_set(const std::string& path, SentimentLabels labels);

// What two copies of a text have in common: its words without case, links and punctuation. A text
// that is nothing else is itself.
std::string bare_text(std::string_view text);

}  // namespace lathe
