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
//   auto  by the first row: a "sentiment_score" is fiqa's, a "sentence" fpb's, a "text" tfns'
enum class SentimentLabels : std::uint8_t { kAuto, kFpb, kTfns, kFiqa };
template <>
struct EnumNames<SentimentLabels> {
  static constexpr std::array<std::string_view, 4> names{"auto", "fpb", "tfns", "fiqa"};
};

struct LabelledSet {
  std::vector<std::string> labels;
  std::vector<ChoiceItem> items;                     // a choice per label, in the order of `labels`
  SentimentLabels numbers = SentimentLabels::kAuto;  // the rule that was taken for numbers
};

// Rows {text or sentence, label or sentiment or sentiment_score}; FinLoRA's {context, target},
// whose labels are all targets of the file; or, in a .txt file, PhraseBank's own lines
// "sentence@label" (UTF-8 or Latin-1). kData for a row whose label is none.
Result<LabelledSet> read_sentiment(const std::string& path, SentimentLabels labels);

}  // namespace lathe
