// Finance sentiment by label likelihood: each label continues the prompt, the likeliest is the
// answer.
#pragma once

#include <string>
#include <vector>

#include "engine/data/sentiment_set.h"
#include "engine/eval/choice_item.h"

namespace lathe {

struct LabelledSet {
  std::vector<std::string> labels;
  std::vector<ChoiceItem> items;                     // a choice per label, in the order of `labels`
  SentimentLabels numbers = SentimentLabels::kAuto;  // the rule that was taken for numbers
};

// The set as read_sentiment_set() reads it; its errors.
Result<LabelledSet> read_sentiment(const std::string& path, SentimentLabels labels);

}  // namespace lathe
