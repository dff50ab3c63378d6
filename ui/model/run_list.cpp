// Rows from two sources, and the names by which their numbers are asked for.
#include "ui/model/run_list.h"

#include <fmt/format.h>

#include <algorithm>
#include <cmath>
#include <limits>

#include "experiments/run_spec.h"
#include "ui/model/value_text.h"

namespace lathe::ui {

namespace ex = lathe::experiments;

namespace {

constexpr double kNone = std::numeric_limits<double>::quiet_NaN();

RunRow row_of(const storage::RunSummary& run) {
  RunRow row;
  row.id = run.id;
  row.name = run.name.empty() ? run.id : run.name;
  row.sweep = run.sweep;
  row.point = run.point;
  row.state = run.state;
  row.kind = run.kind;
  row.step = run.step;
  row.total_steps = run.total_steps;
  row.created_ms = run.created_ms;
  row.peak_bytes = run.peak_bytes;
  row.predicted_peak_bytes = run.predicted_peak_bytes;
  row.last = run.last;
  row.tags = run.tags;
  row.note = run.note;
  row.error = run.error;
  row.trashed = run.trashed;
  return row;
}

void overlay(const LiveRun& run, RunRow& row) {
  row.live = true;
  if (row.sweep.empty()) {
    row.sweep = run.sweep;
    row.point = run.point;
  }
  row.state = run.state;
  row.step = std::max(row.step, run.step);
  row.total_steps = run.total_steps > 0 ? run.total_steps : row.total_steps;
  row.peak_bytes = std::max(row.peak_bytes, run.peak_bytes);
  row.predicted_peak_bytes =
      run.predicted_peak_bytes > 0 ? run.predicted_peak_bytes : row.predicted_peak_bytes;
  row.error = run.error;
  row.remedy = run.remedy;
  row.spec = row.spec ? row.spec : run.spec;
  for (const auto& [metric, series] : run.series) {
    row.last[metric] = series->last_value();
  }
}

RunRow row_of(const LiveRun& run) {
  RunRow row;
  row.id = run.id;
  row.name = run.name.empty() ? run.id : run.name;
  row.sweep = run.sweep;
  row.point = run.point;
  row.kind = run.kind;
  row.created_ms = run.started_ms;
  overlay(run, row);
  return row;
}

// Short names of things that are not parameters.
std::string_view metric_alias(std::string_view key) {
  static constexpr std::array<std::pair<std::string_view, std::string_view>, 6> kAliases{
      {{"loss", "train/loss"},
       {"acc", "train/acc"},
       {"ppl", "eval/ppl"},
       {"params", "model/params"},
       {"speed", "perf/tokens_per_s"},
       {"bits", "model/bits_per_weight"}}};
  for (const auto& [alias, metric] : kAliases) {
    if (alias == key) {
      return metric;
    }
  }
  return key;
}

Json param_of(const RunRow& row, std::string_view key) {
  const Result<std::string> path = ex::resolve_param(key);
  return path && row.spec ? ex::get_path(*row.spec, *path) : Json();
}

}  // namespace

std::vector<RunRow> merge_runs(const StoreSnapshot& store, const LiveState& live) {
  std::map<std::string, const LiveRun*> running;
  for (const auto& run : live.runs) {
    running[run->id] = run.get();
  }
  std::map<std::string, std::string> sweep_names;
  for (const storage::SweepSummary& sweep : store.sweeps) {
    sweep_names[sweep.id] = sweep.name;
  }
  if (live.sweep) {
    sweep_names[live.sweep->id] = live.sweep->name;
  }
  std::vector<RunRow> rows;
  rows.reserve(store.runs.size() + live.runs.size());
  for (const storage::RunSummary& run : store.runs) {
    RunRow row = row_of(run);
    const auto spec = store.specs.find(run.id);
    row.spec = spec == store.specs.end() ? nullptr : spec->second;
    const auto own = running.find(run.id);
    if (own != running.end()) {
      overlay(*own->second, row);
      running.erase(own);
    }
    rows.push_back(std::move(row));
  }
  for (const auto& run : live.runs) {
    if (running.count(run->id) > 0 && run->state != RunState::kExcluded) {
      rows.push_back(row_of(*run));
    }
  }
  for (RunRow& row : rows) {
    row.sweep_name = sweep_names[row.sweep];
  }
  return rows;
}

double number_of(const RunRow& row, std::string_view key) {
  if (key == "peak") {
    return row.peak_bytes > 0 ? static_cast<double>(row.peak_bytes) : kNone;
  }
  if (key == "predicted") {
    return row.predicted_peak_bytes > 0 ? static_cast<double>(row.predicted_peak_bytes) : kNone;
  }
  if (key == "step") {
    return static_cast<double>(row.step);
  }
  if (key == "progress") {
    return row.progress();
  }
  if (key == "created") {
    return static_cast<double>(row.created_ms);
  }
  const auto metric = row.last.find(std::string(metric_alias(key)));
  if (metric != row.last.end()) {
    return metric->second;
  }
  const Json value = param_of(row, key);
  if (value.is_boolean()) {
    return value.get<bool>() ? 1 : 0;
  }
  return value.is_number() ? value.get<double>() : kNone;
}

std::string text_of(const RunRow& row, std::string_view key) {
  if (key == "name") {
    return row.name;
  }
  if (key == "state") {
    return std::string(ex::kRunStateNames[static_cast<std::size_t>(row.state)]);
  }
  if (key == "sweep") {
    return row.sweep_name;
  }
  if (key == "tag" || key == "tags") {
    return fmt::format("{}", fmt::join(row.tags, ", "));
  }
  if (key == "id") {
    return row.id;
  }
  const Json value = param_of(row, key);
  if (value.is_string()) {
    return value.get<std::string>();
  }
  if (!value.is_null() && !value.is_number()) {
    return json_text(value);
  }
  return metric_text(key, number_of(row, key));
}

void sort_rows(std::vector<const RunRow*>& rows, std::string_view key, bool descending) {
  const bool by_text = key == "name" || key == "state" || key == "sweep" || key == "tags";
  std::vector<std::pair<double, std::string>> keys(rows.size());
  std::vector<std::size_t> order(rows.size());
  for (std::size_t i = 0; i < rows.size(); ++i) {
    order[i] = i;
    keys[i] = by_text ? std::pair{0.0, text_of(*rows[i], key)}
                      : std::pair{number_of(*rows[i], key), std::string()};
  }
  std::stable_sort(order.begin(), order.end(), [&](std::size_t a, std::size_t b) {
    if (std::isnan(keys[a].first) || std::isnan(keys[b].first)) {
      return !std::isnan(keys[a].first) && std::isnan(keys[b].first);
    }
    return descending ? keys[b] < keys[a] : keys[a] < keys[b];
  });
  std::vector<const RunRow*> sorted;
  sorted.reserve(rows.size());
  for (const std::size_t i : order) {
    sorted.push_back(rows[i]);
  }
  rows = std::move(sorted);
}

std::vector<std::string> varying_params(const std::vector<const RunRow*>& rows,
                                        std::size_t at_most) {
  std::vector<std::string> out;
  for (const ParamInfo& param : ex::run_spec_params()) {
    if (param.path == "name" || out.size() >= at_most) {
      continue;
    }
    const Json* first_spec = nullptr;
    Json first;
    bool varies = false;
    for (const RunRow* row : rows) {
      if (!row->spec) {
        continue;
      }
      Json value = ex::get_path(*row->spec, param.path);
      if (first_spec == nullptr) {
        first_spec = row->spec.get();
        first = std::move(value);
      } else {
        varies = varies || value != first;
      }
    }
    if (varies) {
      out.push_back(param.path);
    }
  }
  return out;
}

std::size_t color_index(const RunRow& row, std::size_t palette_size) {
  if (row.point >= 0) {
    return static_cast<std::size_t>(row.point) % palette_size;
  }
  // FNV-1a: any fixed hash will do, it must only stay the same between starts.
  std::uint64_t hash = 14695981039346656037ULL;
  for (const char c : row.id) {
    hash = (hash ^ static_cast<unsigned char>(c)) * 1099511628211ULL;
  }
  return hash % palette_size;
}

std::shared_ptr<const Series> series_of(const StoreSnapshot& store, const LiveState& live,
                                        const RunId& run, const std::string& metric) {
  const LiveRun* own = live.find(run);
  const auto record = store.records.find(run);
  std::shared_ptr<const Series> recorded;
  if (record != store.records.end()) {
    const auto found = record->second->series.find(metric);
    recorded = found == record->second->series.end() ? nullptr : found->second;
  }
  if (own != nullptr && (own->from_step == 0 || !recorded)) {
    const auto found = own->series.find(metric);
    if (found != own->series.end()) {
      return found->second;
    }
  }
  return recorded;  // of a resumed run the store alone knows the whole course
}

std::shared_ptr<const std::vector<ex::MemorySample>> memory_of(const StoreSnapshot& store,
                                                               const LiveState& live,
                                                               const RunId& run) {
  const LiveRun* own = live.find(run);
  const auto record = store.records.find(run);
  if (own != nullptr && own->memory && (own->from_step == 0 || record == store.records.end())) {
    return own->memory;
  }
  return record == store.records.end() ? nullptr : record->second->memory;
}

std::shared_ptr<const std::vector<ex::PaletteSnapshot>> palettes_of(const StoreSnapshot& store,
                                                                    const LiveState& live,
                                                                    const RunId& run) {
  const LiveRun* own = live.find(run);
  const auto record = store.records.find(run);
  if (own != nullptr && own->palettes && (own->from_step == 0 || record == store.records.end())) {
    return own->palettes;
  }
  return record == store.records.end() ? nullptr : record->second->palettes;
}

}  // namespace lathe::ui
