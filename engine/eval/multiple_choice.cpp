// Joint encoding, scoring, judging.
#include "engine/eval/multiple_choice.h"

#include <algorithm>
#include <cmath>

#include "engine/data/joint_encoding.h"
#include "engine/eval/scorer.h"
#include "engine/eval/text_rules.h"

namespace lathe {
namespace {

ScoreRequest encode_pair(const EvalModel& model, const Choice& choice, bool special) {
  JointIds joint = encode_jointly(choice.context, choice.continuation, [&](std::string_view text) {
    return model.encode(text, special);
  });
  if (joint.first > 0) {
    return {.ids = std::move(joint.ids),
            .first_scored = static_cast<std::int64_t>(joint.first),
            .place = {}};
  }
  ScoreRequest request{.ids = {model.prefix_id}, .first_scored = 1, .place = {}};
  const std::vector<std::int32_t> scored =
      model.encode(choice.context + choice.continuation, false);
  request.ids.insert(request.ids.end(), scored.begin(), scored.end());
  return request;
}

Accuracy accuracy(std::int64_t correct, std::int64_t items) {
  const double p = static_cast<double>(correct) / static_cast<double>(items);
  const double variance = items > 1 ? p * (1 - p) / static_cast<double>(items - 1) : 0.0;
  return {.value = p, .standard_error = std::sqrt(variance)};
}

}  // namespace

Result<ChoiceScores> score_choices(const EvalModel& model, std::span<const ChoiceItem> items,
                                   bool special, const EvalProgress& progress) {
  std::vector<ScoreRequest> requests;
  for (const ChoiceItem& item : items) {
    for (std::size_t i = 0; i < item.choices.size(); ++i) {
      requests.push_back(encode_pair(model, item.choices[i], special));
      requests.back().place = item.place + ", choice " + std::to_string(i + 1);
    }
  }
  const auto scores = score_sequences(model, requests, progress);
  if (!scores) {
    return scores.error();
  }
  ChoiceScores by_item;
  std::size_t at = 0;
  for (const ChoiceItem& item : items) {
    std::vector<double>& own = by_item.emplace_back();
    for (std::size_t i = 0; i < item.choices.size(); ++i) {
      own.push_back((*scores)[at++].log_likelihood);
    }
  }
  return by_item;
}

std::size_t first_greatest(std::span<const double> values) {
  return static_cast<std::size_t>(std::max_element(values.begin(), values.end()) - values.begin());
}

MultipleChoiceResult judge(std::span<const ChoiceItem> items, const ChoiceScores& scores) {
  std::int64_t correct = 0;
  std::int64_t correct_norm = 0;
  for (std::size_t i = 0; i < items.size(); ++i) {
    std::vector<double> per_character;
    for (std::size_t j = 0; j < scores[i].size(); ++j) {
      // An answer without characters loses, rather than divides by zero.
      per_character.push_back(
          scores[i][j] /
          std::max<double>(static_cast<double>(character_count(items[i].choices[j].text)), 1e-9));
    }
    correct += first_greatest(scores[i]) == items[i].gold ? 1 : 0;
    correct_norm += first_greatest(per_character) == items[i].gold ? 1 : 0;
  }
  const auto count = static_cast<std::int64_t>(items.size());
  return {
      .acc = accuracy(correct, count), .acc_norm = accuracy(correct_norm, count), .items = count};
}

}  // namespace lathe
