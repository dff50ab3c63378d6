// Records of the store for people and for programs.
#include "app/render.h"

#include <fmt/core.h>

#include <algorithm>

#include "engine/base/format.h"

namespace lathe::app {
namespace {

using storage::RunSummary;

std::string state_name(experiments::RunState state) {
  return std::string(experiments::kRunStateNames[static_cast<std::size_t>(state)]);
}

std::string bytes_or_dash(std::int64_t bytes) {
  return bytes > 0 ? bytes_text(bytes) : "-";
}

std::string step_text(const RunSummary& run) {
  return run.total_steps > 0 ? fmt::format("{}/{}", run.step, run.total_steps)
                             : fmt::format("{}", run.step);
}

// Measured, not trained: an evaluation or a decomposition.
bool is_measurement(const RunSummary& run) {
  return run.kind == "eval" || run.kind == "compress";
}

// The first of a measurement's results, "acc_norm 0.5313"; of a training those of its task.
std::string headline(const RunSummary& run) {
  for (const char* metric : {"task/ppl", "task/word_ppl", "task/weighted_f1", "task/acc_norm",
                             "task/acc", "task/pass_at_1", "eval/ppl", "compress/energy_kept"}) {
    const auto found = run.last.find(metric);
    const std::string_view name = metric;
    if (found != run.last.end() && (is_measurement(run) || name.starts_with("task/"))) {
      return fmt::format("{} {:.4g}", name.substr(name.find('/') + 1), found->second);
    }
  }
  return "";
}

Json attempts_json(const storage::RunDetail& detail) {
  Json attempts = Json::array();
  for (const storage::AttemptRow& attempt : detail.attempts) {
    attempts.push_back({{"attempt", attempt.attempt},
                        {"from_step", attempt.from_step},
                        {"started", iso_time_text(attempt.started_ms)},
                        {"data_digest", attempt.data_digest},
                        {"environment", attempt.environment}});
  }
  return attempts;
}

}  // namespace

std::string metric_text(const std::map<std::string, double>& values, const std::string& metric) {
  const auto found = values.find(metric);
  return found == values.end() ? "-" : fmt::format("{:.4g}", found->second);
}

Json to_json(const RunSummary& run) {
  return {{"id", run.id},
          {"name", run.name},
          {"sweep", run.sweep},
          {"point", run.point},
          {"state", state_name(run.state)},
          {"kind", run.kind},
          {"step", run.step},
          {"total_steps", run.total_steps},
          {"created", iso_time_text(run.created_ms)},
          {"predicted_peak_bytes", run.predicted_peak_bytes},
          {"peak_bytes", run.peak_bytes},
          {"last", run.last},
          {"best", run.best},
          {"error", run.error},
          {"tags", run.tags},
          {"note", run.note},
          {"trashed", run.trashed}};
}

Json to_json(const storage::SweepSummary& sweep) {
  return {{"id", sweep.id},
          {"name", sweep.name},
          {"state", sweep.state},
          {"points", sweep.points},
          {"done", sweep.done},
          {"failed", sweep.failed},
          {"excluded", sweep.excluded},
          {"created", iso_time_text(sweep.created_ms)}};
}

Json to_json(const storage::RunDetail& detail) {
  Json out = to_json(detail.summary);
  out["parent"] = detail.parent;
  out["metrics"] = detail.metrics;
  out["attempts"] = attempts_json(detail);
  out["checkpoints"] = Json::array();
  for (const storage::CheckpointRow& row : detail.checkpoints) {
    out["checkpoints"].push_back({{"step", row.step}, {"path", row.path}, {"bytes", row.bytes}});
  }
  out["digests"] = Json::array();
  for (const storage::DigestRow& row : detail.digests) {
    out["digests"].push_back({{"step", row.step}, {"digest", row.digest}});
  }
  out["live_changes"] = Json::array();
  for (const storage::LiveChangeRow& row : detail.live_changes) {
    out["live_changes"].push_back({{"step", row.step}, {"param", row.param}, {"value", row.value}});
  }
  out["spec"] = detail.spec;
  return out;
}

std::string runs_table(const std::vector<RunSummary>& runs) {
  const bool measured = std::any_of(runs.begin(), runs.end(),
                                    [](const RunSummary& run) { return !headline(run).empty(); });
  std::vector<Column> columns{{"id"},         {"name"},           {"state"},     {"step", true},
                              {"loss", true}, {"held-out", true}, {"ppl", true}, {"params", true},
                              {"peak", true}, {"tok/s", true},    {"started"}};
  if (measured) {
    columns.push_back({"measured"});
  }
  std::vector<std::vector<std::string>> rows;
  for (const RunSummary& run : runs) {
    const auto params = run.last.find("model/params");
    const auto speed = run.last.find("perf/tokens_per_s");
    rows.push_back({run.id, run.name, state_name(run.state), step_text(run),
                    metric_text(run.last, "train/loss"), metric_text(run.last, "eval/loss"),
                    metric_text(run.last, "eval/ppl"),
                    params == run.last.end() ? "-" : count_text(params->second),
                    bytes_or_dash(run.peak_bytes),
                    speed == run.last.end() ? "-" : count_text(speed->second),
                    run.started_ms > 0 ? time_text(run.started_ms) : "-"});
    if (measured) {
      rows.back().push_back(headline(run));
    }
  }
  return table_text(columns, rows);
}

std::string sweeps_table(const std::vector<storage::SweepSummary>& sweeps) {
  std::vector<std::vector<std::string>> rows;
  for (const storage::SweepSummary& sweep : sweeps) {
    rows.push_back({sweep.id, sweep.name, sweep.state, std::to_string(sweep.points),
                    std::to_string(sweep.done), std::to_string(sweep.failed),
                    std::to_string(sweep.excluded), time_text(sweep.created_ms)});
  }
  return table_text({{"id"},
                     {"name"},
                     {"state"},
                     {"points", true},
                     {"done", true},
                     {"failed", true},
                     {"excluded", true},
                     {"created"}},
                    rows);
}

}  // namespace lathe::app
