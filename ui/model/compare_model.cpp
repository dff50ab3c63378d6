// Lines of the comparison: parameters in canonical order, results with the best marked.
#include "ui/model/compare_model.h"

#include <algorithm>
#include <array>
#include <cmath>
#include <utility>

#include "experiments/metrics.h"
#include "experiments/run_spec.h"

namespace lathe::ui {

namespace ex = lathe::experiments;

namespace {

std::string param_text(const RunRow& row, const std::string& path) {
  const Json value = row.spec ? ex::get_path(*row.spec, path) : Json();
  if (value.is_null()) {
    return "";
  }
  return value.is_string() ? value.get<std::string>() : json_text(value);
}

ResultLine result_line(const std::vector<RunRow>& runs, std::string key, std::string title,
                       ex::Better better) {
  ResultLine line{std::move(key), std::move(title), {}, -1};
  for (const RunRow& run : runs) {
    line.values.push_back(number_of(run, line.key));
  }
  for (std::size_t i = 0; better != ex::Better::kNeither && i < line.values.size(); ++i) {
    const double value = line.values[i];
    if (std::isnan(value)) {
      continue;
    }
    const double best = line.best < 0 ? value : line.values[static_cast<std::size_t>(line.best)];
    const bool is_better = better == ex::Better::kLower ? value < best : value > best;
    if (line.best < 0 || is_better) {
      line.best = static_cast<int>(i);
    }
  }
  return line;
}

}  // namespace

Comparison compare(const std::vector<RunRow>& rows, const std::vector<std::string>& ids) {
  Comparison out;
  for (const std::string& id : ids) {
    const auto found =
        std::find_if(rows.begin(), rows.end(), [&](const RunRow& row) { return row.id == id; });
    if (found != rows.end()) {
      out.runs.push_back(*found);
    }
  }
  for (const ParamInfo& param : ex::run_spec_params()) {
    SpecLine line{param.path, {}, false};
    bool any = false;
    for (const RunRow& run : out.runs) {
      line.values.push_back(param_text(run, param.path));
      any = any || !line.values.back().empty();
      line.differs = line.differs || line.values.back() != line.values.front();
    }
    if (any && param.path != "name") {
      out.spec.push_back(std::move(line));
    }
  }
  static const std::array<std::tuple<const char*, const char*, ex::Better>, 10> kResults{
      {{"eval/loss", "held-out loss", ex::Better::kLower},
       {"eval/ppl", "perplexity", ex::Better::kLower},
       {"eval/acc", "next-token accuracy", ex::Better::kHigher},
       {"train/loss", "training loss", ex::Better::kLower},
       {"task/weighted_f1", "weighted F1", ex::Better::kHigher},
       {"task/acc", "task's accuracy", ex::Better::kHigher},
       {"model/params", "parameters", ex::Better::kLower},
       {"peak", "peak bytes", ex::Better::kLower},
       {"perf/tokens_per_s", "tokens per second", ex::Better::kHigher},
       {"step", "step", ex::Better::kNeither}}};
  for (const auto& [key, title, better] : kResults) {
    ResultLine line = result_line(out.runs, key, title, better);
    if (std::any_of(line.values.begin(), line.values.end(),
                    [](double value) { return !std::isnan(value); })) {
      out.results.push_back(std::move(line));
    }
  }
  return out;
}

}  // namespace lathe::ui
