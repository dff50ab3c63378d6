// Sets of sentiment as questions with answers to choose from.
#include "engine/eval/sentiment.h"

namespace lathe {

Result<LabelledSet> read_sentiment(const std::string& path, SentimentLabels labels) {
  const auto set = read_sentiment_set(path, labels);
  if (!set) {
    return set.error();
  }
  LabelledSet out{.labels = set->labels, .items = {}, .numbers = set->numbers};
  for (const SentimentRow& row : set->rows) {
    ChoiceItem item{.choices = {}, .gold = row.label, .place = row.place};
    for (const std::string& label : set->labels) {
      item.choices.push_back({.context = row.prompt, .continuation = label, .text = label});
    }
    out.items.push_back(std::move(item));
  }
  return out;
}

}  // namespace lathe
