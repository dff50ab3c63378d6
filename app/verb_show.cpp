// lathe show ID and lathe diff A B: one run in full, and what differs between two.
#include <fmt/core.h>

#include <algorithm>

#include "app/cli.h"
#include "app/render.h"
#include "app/verb_list.h"
#include "engine/base/format.h"
#include "experiments/run_spec.h"

namespace lathe::app {
namespace {

// What was measured before the first step, of the metrics that are measured now and then.
Result<std::map<std::string, double>> measured_first(storage::RunCatalog& catalog,
                                                     const storage::RunDetail& detail) {
  std::map<std::string, double> first;
  for (const auto& [metric, unused] : detail.summary.last) {
    if (!metric.starts_with("task/") && !metric.starts_with("eval/")) {
      continue;
    }
    const auto points = catalog.points(detail.summary.id, metric);
    if (!points) {
      return points.error();
    }
    if (!points->empty() && points->front().step == 0) {
      first[metric] = points->front().value;
    }
  }
  return first;
}

void print_run(const storage::RunDetail& detail, const std::map<std::string, double>& first) {
  fmt::print("{}", runs_table({detail.summary}));
  if (!detail.summary.error.empty()) {
    fmt::print("\nfailed: {}\n", detail.summary.error);
  }
  if (!detail.summary.note.empty()) {
    fmt::print("\nnote: {}\n", detail.summary.note);
  }
  if (detail.summary.predicted_peak_bytes > 0) {  // evaluations predict nothing
    fmt::print("\npredicted peak {}, reached {}\n", bytes_text(detail.summary.predicted_peak_bytes),
               bytes_text(detail.summary.peak_bytes));
  }
  std::vector<std::vector<std::string>> rows;
  for (const auto& [metric, last] : detail.summary.last) {
    rows.push_back({metric, metric_text(first, metric), fmt::format("{:.6g}", last),
                    metric_text(detail.summary.best, metric)});
  }
  fmt::print("\n{}",
             table_text({{"metric"}, {"before", true}, {"last", true}, {"best", true}}, rows));
  for (const storage::CheckpointRow& row : detail.checkpoints) {
    fmt::print("checkpoint of step {}: {} ({})\n", row.step, row.path, bytes_text(row.bytes));
  }
  for (const storage::LiveChangeRow& row : detail.live_changes) {
    fmt::print("step {}: {} changed to {}\n", row.step, row.param, row.value);
  }
  if (!detail.attempts.empty()) {
    fmt::print("\nenvironment of attempt {}: {}\n", detail.attempts.back().attempt,
               json_text(detail.attempts.back().environment, 2));
  }
  fmt::print("\nspec: {}\n", json_text(detail.spec, 2));
}

void print_sweep(const storage::SweepSummary& sweep, const std::vector<storage::RunSummary>& runs) {
  fmt::print("{}\n{}", sweeps_table({sweep}), runs_table(runs));
}

// The runs of a sweep in the order of its points.
std::vector<storage::RunSummary> runs_of(const storage::SweepSummary& sweep,
                                         std::vector<storage::RunSummary> all) {
  std::erase_if(all, [&](const storage::RunSummary& run) { return run.sweep != sweep.id; });
  std::sort(all.begin(), all.end(), [](const auto& a, const auto& b) { return a.point < b.point; });
  return all;
}

Result<void> show(storage::RunCatalog& catalog, const std::string& id, bool json) {
  const auto detail = catalog.run(id);
  if (detail) {
    const auto first = measured_first(catalog, *detail);
    if (!first) {
      return first.error();
    }
    if (!json) {
      print_run(*detail, *first);
      return {};
    }
    Json out = to_json(*detail);
    out["before"] = *first;
    print_json(out, 2);
    return {};
  }
  const auto sweep = catalog.sweep(id);
  if (!sweep) {
    return detail.error();
  }
  auto all = catalog.runs(false);
  if (!all) {
    return all.error();
  }
  const std::vector<storage::RunSummary> runs = runs_of(*sweep, std::move(*all));
  if (!json) {
    print_sweep(*sweep, runs);
    return {};
  }
  Json out = to_json(*sweep);
  out["runs"] = Json::array();
  for (const storage::RunSummary& run : runs) {
    out["runs"].push_back(to_json(run));
  }
  print_json(out, 2);
  return {};
}

Result<void> diff(storage::RunCatalog& catalog, const std::string& first, const std::string& second,
                  bool json) {
  const auto a = catalog.run(first);
  if (!a) {
    return a.error();
  }
  const auto b = catalog.run(second);
  if (!b) {
    return b.error();
  }
  std::vector<std::vector<std::string>> rows;
  for (const experiments::SpecDifference& row : experiments::diff_specs(a->spec, b->spec)) {
    rows.push_back({row.path, row.a, row.b});
  }
  std::map<std::string, double> metrics = a->summary.last;
  metrics.insert(b->summary.last.begin(), b->summary.last.end());
  for (const auto& [metric, unused] : metrics) {
    rows.push_back(
        {metric, metric_text(a->summary.last, metric), metric_text(b->summary.last, metric)});
  }
  if (!json) {
    fmt::print("{}",
               table_text({{"what"}, {a->summary.name, true}, {b->summary.name, true}}, rows));
    return {};
  }
  Json out = Json::array();
  for (const auto& row : rows) {
    out.push_back({{"what", row[0]}, {"a", row[1]}, {"b", row[2]}});
  }
  print_json(out, 2);
  return {};
}

}  // namespace

void add_show(CLI::App& root, Cli& cli) {
  const auto id = std::make_shared<std::string>();
  CLI::App* verb = add_verb(root, cli, "show", "One run or sweep in full", [&cli, id] {
    return with_catalog(cli.options, [&](storage::RunCatalog& catalog) {
      return show(catalog, *id, cli.options.json);
    });
  });
  verb->add_option("id", *id, "id of a run or sweep, a unique beginning of it, or its name")
      ->required();
}

void add_diff(CLI::App& root, Cli& cli) {
  const auto ids = std::make_shared<std::pair<std::string, std::string>>();
  CLI::App* verb =
      add_verb(root, cli, "diff", "What differs between two runs: spec and metrics", [&cli, ids] {
        return with_catalog(cli.options, [&](storage::RunCatalog& catalog) {
          return diff(catalog, ids->first, ids->second, cli.options.json);
        });
      });
  verb->add_option("a", ids->first, "a run")->required();
  verb->add_option("b", ids->second, "another run")->required();
}

}  // namespace lathe::app
