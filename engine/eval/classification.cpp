// From the confusion matrix.
#include "engine/eval/classification.h"

#include "engine/base/check.h"

namespace lathe {
namespace {

double ratio(std::int64_t part, std::int64_t whole) {
  return whole == 0 ? 0.0 : static_cast<double>(part) / static_cast<double>(whole);
}

}  // namespace

ClassificationResult classification_result(std::span<const std::size_t> labels,
                                           std::span<const std::size_t> answers,
                                           std::size_t classes) {
  CHECK(labels.size() == answers.size() && !labels.empty(), "one answer an item");
  ClassificationResult result;
  result.confusion.assign(classes, std::vector<std::int64_t>(classes, 0));
  for (std::size_t i = 0; i < labels.size(); ++i) {
    result.confusion.at(labels[i]).at(answers[i]) += 1;
  }
  const auto items = static_cast<std::int64_t>(labels.size());
  std::int64_t correct = 0;
  std::int64_t seen = 0;
  for (std::size_t c = 0; c < classes; ++c) {
    std::int64_t answered = 0;
    ClassScores scores;
    for (std::size_t other = 0; other < classes; ++other) {
      scores.support += result.confusion[c][other];
      answered += result.confusion[other][c];
    }
    const std::int64_t right = result.confusion[c][c];
    scores.precision = ratio(right, answered);
    scores.recall = ratio(right, scores.support);
    scores.f1 = ratio(2 * right, answered + scores.support);
    correct += right;
    seen += answered + scores.support > 0 ? 1 : 0;
    result.macro_f1 += scores.f1;
    result.weighted_f1 += scores.f1 * ratio(scores.support, items);
    result.classes.push_back(scores);
  }
  result.accuracy = ratio(correct, items);
  result.macro_f1 /= static_cast<double>(seen);
  return result;
}

}  // namespace lathe
