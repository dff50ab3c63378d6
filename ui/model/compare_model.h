// Several runs side by side: what differs between their specs, and what came out of it.
#pragma once

#include <string>
#include <vector>

#include "ui/model/run_list.h"

namespace lathe::ui {

struct SpecLine {
  std::string path;
  std::vector<std::string> values;  // one per run, "" where a run does not have it
  bool differs = false;
};

// A metric of each run, with which is best.
struct ResultLine {
  std::string key;  // as number_of() knows it
  std::string title;
  std::vector<double> values;
  int best = -1;  // index of the best run; -1 if none is, or better has no meaning
};

struct Comparison {
  std::vector<RunRow> runs;
  std::vector<SpecLine> spec;
  std::vector<ResultLine> results;
};

// `ids` in the order of comparison; those that are not among the rows are left out.
Comparison compare(const std::vector<RunRow>& rows, const std::vector<std::string>& ids);

}  // namespace lathe::ui
