// Finance sentiment by label likelihood: each label continues the prompt, the likeliest is the
// answer. The prompts are FinGPT's (AI4Finance-Foundation/FinGPT, benchmarks).
#pragma once

#include <span>
#include <string>
#include <vector>

#include "engine/base/describe.h"
#include "engine/base/result.h"
#include "engine/eval/choice_item.h"

namespace lathe {

// What numbers in a set mean; labels that are words need no rule.
//   fpb   Financial PhraseBank: 0 negative, 1 neutral, 2 positive
//   tfns  Twitter financial news: 0 negative, 1 positive, 2 neutral
//   fiqa  a score: below -0.1 negative, from 0.1 on positive, else neutral
enum class SentimentLabels : std::uint8_t { kWords, kFpb, kTfns, kFiqa };
template <>
struct EnumNames<SentimentLabels> {
  static constexpr std::array<std::string_view, 4> names{"words", "fpb", "tfns", "fiqa"};
};

struct LabelledSet {
  std::vector<std::string> labels;
  std::vector<ChoiceItem> items;  // a choice per label, in the order of `labels`
};

// Rows {text or sentence, label, sentiment or sentiment_score}, or FinLoRA's {context, target},
// whose labels are all targets of the file. kData for a row whose label is none.
Result<LabelledSet> read_sentiment(const std::string& path, SentimentLabels labels);

}  // namespace lathe
