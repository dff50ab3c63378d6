// lathe replay ID: a recorded run once more, from the record alone; with --verify it is trained
// anew and every metric compared bit for bit.
#include <fmt/core.h>

#include <algorithm>

#include "app/cli.h"
#include "app/stored_work.h"
#include "app/table.h"
#include "app/verb_list.h"
#include "app/workplace.h"
#include "experiments/replay_run.h"

namespace lathe::app {
namespace {

using namespace experiments;

struct ReplayOptions {
  std::string id;
  std::int64_t to_step = 0;
  std::int64_t rows = 20;
  bool verify = false;
};

// The value of a series at the last point not after `step`; nothing before its first.
std::string value_at(const MetricSeries& series, std::int64_t step) {
  const auto after =
      std::upper_bound(series.begin(), series.end(), step,
                       [](std::int64_t wanted, const auto& point) { return wanted < point.first; });
  return after == series.begin() ? "" : fmt::format("{:.6g}", std::prev(after)->second);
}

// The run as it went: `rows` moments of it, each with every metric a person follows.
void print_course(const RecordedRun& record, std::int64_t to_step, std::int64_t rows, bool json) {
  constexpr std::array<const char*, 6> kShown{"train/loss", "train/acc",      "train/lr",
                                              "eval/loss",  "mem/peak_bytes", "perf/tokens_per_s"};
  std::vector<Column> columns{{"step", true}};
  for (const char* metric : kShown) {
    columns.push_back({metric, true});
  }
  const std::int64_t last = to_step > 0 ? std::min(to_step, record.last_step) : record.last_step;
  const std::int64_t stride = std::max<std::int64_t>(1, last / rows);
  std::vector<std::vector<std::string>> cells;
  for (std::int64_t step = std::min(stride, last); step <= last;
       step = step < last ? std::min(step + stride, last) : last + 1) {
    std::vector<std::string> row{std::to_string(step)};
    Json object{{"step", step}};
    for (const char* metric : kShown) {
      const auto series = record.metrics.find(metric);
      row.push_back(series == record.metrics.end() ? "" : value_at(series->second, step));
      object[metric] = row.back().empty() ? Json(nullptr) : Json::parse(row.back(), nullptr, false);
    }
    if (json) {
      print_json(object);
    }
    cells.push_back(std::move(row));
  }
  if (!json) {
    fmt::print("{}", table_text(columns, cells));
    for (const LiveChanged& change : record.live_changes) {
      fmt::print("after step {}: {} became {}\n", change.step, change.param, change.value);
    }
  }
}

int report_verdict(const GlobalOptions& options, const ReplayVerdict& verdict) {
  const std::string text =
      fmt::format("{} against {}: {}{}{}", verdict.replay, verdict.original, verdict.verdict,
                  verdict.detail.empty() ? "" : ": ", verdict.detail);
  const bool same = verdict.verdict == kExact || verdict.verdict == kWithinTolerance;
  if (!same) {
    return report_error(
        {ErrorKind::kMismatch, text, "`lathe diff` of the two shows their specs and metrics"},
        options);
  }
  if (!options.json) {
    fmt::print("{}\n", text);
  }
  return 0;
}

int verify(const GlobalOptions& options, const ReplayOptions& chosen) {
  const auto opened = Workplace::open(options);
  if (!opened) {
    return report_error(opened.error(), options);
  }
  Workplace& place = **opened;
  const auto record = recorded_run(place.catalog(), chosen.id);
  if (!record) {
    return report_error(record.error(), options);
  }
  const auto verdict = replay_run(*record, chosen.to_step, place.ports());
  if (!verdict) {
    const bool stopped = verdict.error().kind == ErrorKind::kInterrupted;
    const int code = place.finish_with(verdict.error());
    return stopped ? place.signal_exit_code() : code;
  }
  if (const Result<void> written = place.flush(); !written) {
    return report_error(written.error(), options);
  }
  return report_verdict(options, *verdict);
}

int replay(const GlobalOptions& options, const ReplayOptions& chosen) {
  if (chosen.verify) {
    return verify(options, chosen);
  }
  return with_catalog(options, [&](storage::RunCatalog& catalog) -> Result<void> {
    const auto record = recorded_run(catalog, chosen.id);
    if (!record) {
      return record.error();
    }
    print_course(*record, chosen.to_step, chosen.rows, options.json);
    return {};
  });
}

}  // namespace

void add_replay(CLI::App& root, Cli& cli) {
  const auto chosen = std::make_shared<ReplayOptions>();
  CLI::App* verb = add_verb(root, cli, "replay", "Show a recorded run again, or verify it",
                            [&cli, chosen] { return replay(cli.options, *chosen); });
  verb->add_option("id", chosen->id, "id of a run, a unique beginning of it, or its name")
      ->required();
  verb->add_flag("--verify", chosen->verify, "train it again and compare every metric bit for bit");
  verb->add_option("--to", chosen->to_step, "up to this step")->check(CLI::PositiveNumber);
  verb->add_option("--rows", chosen->rows, "how many moments to show")
      ->check(CLI::Range(1, 100000))
      ->capture_default_str();
}

}  // namespace lathe::app
