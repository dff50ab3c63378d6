// See catalog_lists.h.
#include "storage/catalog_lists.h"

#include <algorithm>

#include "storage/run_admin.h"

namespace lathe::storage {
namespace {

using experiments::kRunStateNames;

RunState state_of(const std::string& name) {
  const auto found = std::find(kRunStateNames.begin(), kRunStateNames.end(), name);
  return found == kRunStateNames.end()
             ? RunState::kFailed
             : static_cast<RunState>(std::distance(kRunStateNames.begin(), found));
}

bool goes_on(RunState state) {
  return state == RunState::kQueued || state == RunState::kRunning || state == RunState::kPaused;
}

// Answers once per process whether it lives.
class Owners {
 public:
  explicit Owners(Connection& connection) : connection_(connection) {}
  bool lives(std::int64_t process) {
    const auto known = lives_.find(process);
    if (known != lives_.end()) {
      return known->second;
    }
    return lives_[process] = process_lives(connection_, process);
  }

 private:
  Connection& connection_;
  std::map<std::int64_t, bool> lives_;
};

constexpr std::string_view kRunColumns =
    "SELECT runs.key, runs.id, runs.name, coalesce(sweeps.id, ''), point, kind, runs.state, step, "
    "total_steps, runs.created_ms, started_ms, runs.ended_ms, predicted_peak_bytes, peak_bytes, "
    "error, remedy, parent, note, trashed_ms, coalesce(runs.owner, 0), replicate_group "
    "FROM runs LEFT JOIN sweeps ON sweeps.key = runs.sweep "
    "WHERE runs.revision > ?1 AND (?2 OR trashed_ms = 0) AND (?3 = 0 OR runs.key = ?3) "
    "ORDER BY runs.key";

RunSummary run_at(Statement& row) {
  RunSummary run;
  run.id = row.text(1);
  run.name = row.text(2);
  run.sweep = row.text(3);
  run.point = row.integer(4);
  run.kind = row.text(5);
  run.state = state_of(row.text(6));
  run.step = row.integer(7);
  run.total_steps = row.integer(8);
  run.created_ms = row.integer(9);
  run.started_ms = row.integer(10);
  run.ended_ms = row.integer(11);
  run.predicted_peak_bytes = row.integer(12);
  run.peak_bytes = row.integer(13);
  run.error = row.text(14);
  run.remedy = row.text(15);
  run.parent = row.text(16);
  run.note = row.text(17);
  run.trashed = row.integer(18) != 0;
  run.group = row.text(20);
  return run;
}

// Runs in the order of their keys, and the keys.
struct KeyedRuns {
  std::vector<std::int64_t> keys;
  std::vector<RunSummary> runs;
};

KeyedRuns read_rows(Connection& connection, const RunFilter& filter) {
  KeyedRuns found;
  std::vector<std::int64_t> owners;
  Statement& row = connection.prepare(
      kRunColumns, {filter.revision, std::int64_t{filter.with_trashed}, filter.key});
  while (row.step()) {
    found.keys.push_back(row.integer(0));
    found.runs.push_back(run_at(row));
    owners.push_back(row.integer(19));
  }
  row.reset();
  Owners known(connection);
  for (std::size_t i = 0; i < owners.size(); ++i) {
    if (goes_on(found.runs[i].state) && !known.lives(owners[i])) {
      found.runs[i].state = RunState::kInterrupted;
    }
  }
  return found;
}

// Walks rows that are sorted by run key along with the runs, which are too.
template <typename Use>
void join(Statement& row, KeyedRuns& into, Use&& use) {
  std::size_t at = 0;
  while (row.step()) {
    const std::int64_t key = row.integer(0);
    while (at < into.keys.size() && into.keys[at] < key) {
      ++at;
    }
    if (at < into.keys.size() && into.keys[at] == key) {
      use(into.runs[at]);
    }
  }
  row.reset();
}

void add_summaries(Connection& connection, const RunFilter& filter, KeyedRuns& runs) {
  Statement& row = connection.prepare(
      "SELECT run, series.id, last, best, better FROM summaries "
      "JOIN series ON series.key = summaries.series LEFT JOIN metric_defs USING (id) "
      "WHERE (?1 = 0 OR run = ?1) AND (?2 < 0 OR run IN (SELECT key FROM runs WHERE revision > "
      "?2)) "
      "ORDER BY run",
      {filter.key, filter.revision});
  join(row, runs, [&row](RunSummary& run) {
    const std::string metric = row.text(1);
    run.last[metric] = row.real(2);
    if (!row.is_null(3)) {
      run.best[metric] = row.real(3);
    }
  });
}

void add_tags(Connection& connection, const RunFilter& filter, KeyedRuns& runs) {
  Statement& row = connection.prepare(
      "SELECT run, tag FROM tags WHERE (?1 = 0 OR run = ?1) ORDER BY run, tag", {filter.key});
  join(row, runs, [&row](RunSummary& run) { run.tags.push_back(row.text(1)); });
}

LedgerSnapshot read_peak(Connection& connection, std::int64_t run, std::string_view source) {
  LedgerSnapshot peak;
  Statement& row = connection.prepare(
      "SELECT category, bytes FROM ledger_peaks WHERE run = ? AND source = ?", {run, source});
  while (row.step()) {
    const auto name = std::find(kCategoryNames.begin(), kCategoryNames.end(), row.text(0));
    if (name != kCategoryNames.end()) {
      peak.by_category[static_cast<std::size_t>(name - kCategoryNames.begin())] = row.integer(1);
    }
  }
  row.reset();
  return peak;
}

void read_steps(Connection& connection, std::int64_t run, RunDetail& detail) {
  Statement& checkpoint = connection.prepare(
      "SELECT step, path, bytes FROM checkpoints WHERE run = ? ORDER BY step", {run});
  while (checkpoint.step()) {
    detail.checkpoints.push_back(
        {checkpoint.integer(0), checkpoint.text(1), checkpoint.integer(2)});
  }
  checkpoint.reset();
  Statement& digest =
      connection.prepare("SELECT step, digest FROM digests WHERE run = ? ORDER BY step", {run});
  while (digest.step()) {
    detail.digests.push_back({digest.integer(0), digest.text(1)});
  }
  digest.reset();
  Statement& change = connection.prepare(
      "SELECT step, param, value FROM live_changes WHERE run = ? ORDER BY step, param", {run});
  while (change.step()) {
    detail.live_changes.push_back({change.integer(0), change.text(1), change.real(2)});
  }
  change.reset();
  Statement& state = connection.prepare(
      "SELECT time_ms, step, state FROM state_changes WHERE run = ? ORDER BY key", {run});
  while (state.step()) {
    detail.states.push_back({state.integer(0), state.integer(1), state_of(state.text(2))});
  }
  state.reset();
}

void read_attempts(Connection& connection, std::int64_t run, RunDetail& detail) {
  Statement& row = connection.prepare(
      "SELECT attempt, from_step, total_steps, started_ms, environment, data_digest FROM attempts "
      "WHERE run = ? ORDER BY attempt",
      {run});
  while (row.step()) {
    detail.attempts.push_back({row.integer(0), row.integer(1), row.integer(2), row.integer(3),
                               stored_json(connection, row.text(4)), row.text(5)});
  }
  row.reset();
}

void read_replays(Connection& connection, RunDetail& detail) {
  Statement& row = connection.prepare(
      "SELECT original, replay, verdict, first_difference, detail FROM replays "
      "WHERE original = ? ORDER BY key",
      {detail.summary.id});
  while (row.step()) {
    detail.replays.push_back({row.text(0), row.text(1), row.text(2), row.integer(3), row.text(4)});
  }
  row.reset();
}

}  // namespace

Json stored_json(Connection& connection, const std::string& text) {
  Result<Json> document = parse_json(text, "a document in the store " + connection.file());
  if (!document.ok()) {
    throw SqlFailure({ErrorKind::kStore, document.error().message, "restore the file from a copy"});
  }
  return std::move(*document);
}

std::vector<RunSummary> read_runs(Connection& connection, const RunFilter& filter) {
  KeyedRuns found = read_rows(connection, filter);
  add_summaries(connection, filter, found);
  add_tags(connection, filter, found);
  std::reverse(found.runs.begin(), found.runs.end());
  return std::move(found.runs);
}

std::vector<SweepSummary> read_sweeps(Connection& connection) {
  Statement& row = connection.prepare(
      "SELECT id, name, state, created_ms, ended_ms, coalesce(owner, 0), "
      "(SELECT count(*) FROM points WHERE sweep = sweeps.key), "
      "(SELECT count(*) FROM points WHERE sweep = sweeps.key AND excluded_because <> ''), "
      "(SELECT count(*) FROM runs WHERE sweep = sweeps.key AND kind = 'train' AND state = 'done'), "
      "(SELECT count(*) FROM runs WHERE sweep = sweeps.key AND kind = 'train' "
      "AND state = 'failed') FROM sweeps ORDER BY key DESC");
  std::vector<SweepSummary> sweeps;
  std::vector<std::int64_t> owners;
  while (row.step()) {
    SweepSummary sweep;
    sweep.id = row.text(0);
    sweep.name = row.text(1);
    sweep.state = row.text(2);
    sweep.created_ms = row.integer(3);
    sweep.ended_ms = row.integer(4);
    owners.push_back(row.integer(5));
    sweep.points = row.integer(6);
    sweep.excluded = row.integer(7);
    sweep.done = row.integer(8);
    sweep.failed = row.integer(9);
    sweeps.push_back(std::move(sweep));
  }
  row.reset();
  Owners known(connection);
  for (std::size_t i = 0; i < sweeps.size(); ++i) {
    if (sweeps[i].state == "running" && !known.lives(owners[i])) {
      sweeps[i].state = "interrupted";
    }
  }
  return sweeps;
}

std::vector<experiments::PlannedPoint> read_sweep_points(Connection& connection,
                                                         const SweepId& sweep) {
  Statement& row = connection.prepare(
      "SELECT point, run, label, document, predicted_peak_bytes, predicted_params, "
      "predicted_stored_bytes, predicted_flops_per_step, excluded_because FROM points "
      "JOIN specs ON specs.hash = points.spec WHERE sweep = (SELECT key FROM sweeps WHERE id = ?) "
      "ORDER BY point",
      {sweep});
  std::vector<experiments::PlannedPoint> points;
  while (row.step()) {
    experiments::PlannedPoint point;
    point.index = row.integer(0);
    point.run = row.text(1);
    point.label = row.text(2);
    point.spec = stored_json(connection, row.text(3));
    point.predicted_peak_bytes = row.integer(4);
    point.predicted_params = row.integer(5);
    point.predicted_stored_bytes = row.integer(6);
    point.predicted_flops_per_step = row.real(7);
    point.excluded_because = row.text(8);
    points.push_back(std::move(point));
  }
  row.reset();
  return points;
}

RunDetail read_run_detail(Connection& connection, std::int64_t run) {
  RunDetail detail;
  std::vector<RunSummary> found = read_runs(connection, {.with_trashed = true, .key = run});
  if (found.empty()) {
    throw SqlFailure({ErrorKind::kUsage, "the run has just been purged", ""});
  }
  detail.summary = std::move(found.front());
  detail.parent = detail.summary.parent;
  detail.spec = stored_json(
      connection,
      connection.text("SELECT document FROM runs JOIN specs ON hash = spec WHERE key = ?", {run}));
  read_attempts(connection, run, detail);
  read_steps(connection, run, detail);
  read_replays(connection, detail);
  for (const auto& [metric, value] : detail.summary.last) {
    detail.metrics.push_back(metric);
  }
  detail.predicted_peak = read_peak(connection, run, "predicted");
  detail.predicted_peak.live_bytes = detail.summary.predicted_peak_bytes;
  detail.peak = read_peak(connection, run, "actual");
  detail.peak.live_bytes = detail.summary.peak_bytes;
  return detail;
}

std::int64_t find_key(Connection& connection, std::string_view table, std::string_view wanted) {
  const std::string name(table);
  const std::string what = name.substr(0, name.size() - 1);
  const std::int64_t exact =
      connection.integer("SELECT key FROM " + name + " WHERE id = ?", {wanted});
  if (exact != 0) {
    return exact;
  }
  // Every id that begins with the prefix lies between it and it followed by the last character.
  Statement& row =
      connection.prepare("SELECT key, id FROM " + name +
                             " WHERE ?1 <> '' AND (id BETWEEN ?1 AND ?1 || '~' OR name = ?1) "
                             "ORDER BY key DESC LIMIT 4",
                         {wanted});
  std::vector<std::int64_t> keys;
  std::string ids;
  while (row.step()) {
    keys.push_back(row.integer(0));
    ids += (ids.empty() ? "" : ", ") + row.text(1);
  }
  row.reset();
  if (keys.empty()) {
    throw SqlFailure({ErrorKind::kUsage,
                      "no " + what + " has the id or name " + std::string(wanted),
                      "`lathe ls " + name + "` lists them"});
  }
  if (keys.size() > 1) {
    throw SqlFailure({ErrorKind::kUsage,
                      std::string(wanted) + " may mean several " + name + ": " + ids,
                      "write more of the id"});
  }
  return keys.front();
}

}  // namespace lathe::storage
