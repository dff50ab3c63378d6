// Accuracy and F1 of a classification with one label an item.
#pragma once

#include <cstdint>
#include <span>
#include <vector>

namespace lathe {

struct ClassScores {
  double precision = 0;
  double recall = 0;
  double f1 = 0;
  std::int64_t support = 0;  // items of this class
};

struct ClassificationResult {
  double accuracy = 0;     // equals micro F1, as every item has one label
  double macro_f1 = 0;     // mean over the classes that occur as label or as answer
  double weighted_f1 = 0;  // mean weighted by support
  std::vector<ClassScores> classes;
  std::vector<std::vector<std::int64_t>> confusion;  // [label][answer]
};

// Where a denominator is zero the value is zero, as scikit-learn has it. Preconditions: equal
// sizes, not empty, all values below `classes`.
ClassificationResult classification_result(std::span<const std::size_t> labels,
                                           std::span<const std::size_t> answers,
                                           std::size_t classes);

}  // namespace lathe
