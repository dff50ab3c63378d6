// Multiple choice as lm-evaluation-harness scores it: the answer of the highest log-likelihood
// (acc), or of the highest per character of its text (acc_norm); the first of equals wins.
#pragma once

#include <span>
#include <vector>

#include "engine/base/result.h"
#include "engine/eval/choice_item.h"
#include "engine/eval/eval_model.h"

namespace lathe {

// Log-likelihoods [item][choice]. Context and continuation are encoded together, white space at the
// context's end belongs to the continuation, an empty context is the prefix token. With `special`
// the tokenizer's own tokens go in front. Errors as of score_sequences(), naming item and choice.
using ChoiceScores = std::vector<std::vector<double>>;
Result<ChoiceScores> score_choices(const EvalModel& model, std::span<const ChoiceItem> items,
                                   bool special, const EvalProgress& progress);

struct Accuracy {
  double value = 0;
  double standard_error = 0;  // of the mean over items: sqrt(p (1 - p) / (n - 1)); 0 for one item
};

struct MultipleChoiceResult {
  Accuracy acc;
  Accuracy acc_norm;
  std::int64_t items = 0;
};

// The index of the greatest, the first of equals. Precondition: not empty.
std::size_t first_greatest(std::span<const double> values);

MultipleChoiceResult judge(std::span<const ChoiceItem> items, const ChoiceScores& scores);

}  // namespace lathe
