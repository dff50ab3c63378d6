// The filter line of the runs table: words that must occur, and conditions on numbers and choices
// ("rank>=8 and eval/ppl<20 tag:good").
#pragma once

#include <string>
#include <string_view>
#include <vector>

#include "ui/model/run_list.h"

namespace lathe::ui {

class RunFilter {
 public:
  // Never fails: what is not a condition is a word. Words are compared without regard to case.
  explicit RunFilter(std::string_view text);

  bool matches(const RunRow& row) const;
  bool empty() const { return words_.empty() && conditions_.empty(); }
  // Keys of conditions that no row knows, for "there is no 'rnk'" under the filter line.
  std::vector<std::string> unknown_keys(const std::vector<RunRow>& rows) const;

 private:
  struct Condition {
    std::string key;
    std::string comparison;  // one of < <= > >= = !=
    std::string text;
    double number = 0;  // NaN if the text is none; 2MiB, 1.5M and 1e6 are numbers
  };
  static bool holds(const Condition& condition, const RunRow& row);

  std::vector<std::string> words_;
  std::vector<Condition> conditions_;
};

}  // namespace lathe::ui
