// Reading the store: lists, details and curves as plain data. Opens its own read-only connection,
// so that a reader never waits for the writer (WAL). Not thread-safe: one catalogue per thread.
#pragma once

#include <chrono>
#include <cstdint>
#include <map>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "engine/base/json.h"
#include "engine/base/result.h"
#include "experiments/events.h"

namespace lathe::storage {

using experiments::RunId;
using experiments::RunState;
using experiments::SweepId;

// A line of the runs list: comes from the summary table alone, never from metric points.
struct RunSummary {
  RunId id;
  std::string name;
  SweepId sweep;
  std::int64_t point = -1;
  RunState state = RunState::kQueued;
  std::string kind;  // train | replay
  std::int64_t step = 0;
  std::int64_t total_steps = 0;
  std::int64_t created_ms = 0;
  std::int64_t started_ms = 0;
  std::int64_t ended_ms = 0;
  std::map<std::string, double> last;  // metric -> last value
  std::map<std::string, double> best;  // metric -> best value by the metric's direction
  std::int64_t predicted_peak_bytes = 0;
  std::int64_t peak_bytes = 0;
  std::string error;   // of a failed run
  std::string remedy;  // of a failed run
  RunId parent;        // of a replay or a branch
  std::string group;   // equal for runs that differ in name and seed alone; "" if unknown
  std::vector<std::string> tags;
  std::string note;
  bool trashed = false;
};

struct SweepSummary {
  SweepId id;
  std::string name;
  std::string state;  // running | done | partial | stopped | interrupted
  std::int64_t points = 0;
  std::int64_t done = 0;
  std::int64_t failed = 0;
  std::int64_t excluded = 0;
  std::int64_t created_ms = 0;
  std::int64_t ended_ms = 0;
};

// The runs that changed after a revision of the store, and those that are gone for good.
struct RunsChange {
  std::int64_t revision = 0;  // to ask with next time
  std::vector<RunSummary> changed;
  std::vector<RunId> purged;
};

// One pixel column's worth of a curve. min and max are over finite values (NaN if there is none);
// `last` may be any value.
struct CurvePoint {
  std::int64_t step = 0;  // of the first raw point in the bucket
  double min = 0;
  double max = 0;
  double last = 0;
  std::int64_t non_finite = 0;  // how many of the bucket's points are NaN or infinite
};

struct CheckpointRow {
  std::int64_t step = 0;
  std::string path;
  std::int64_t bytes = 0;
};
struct DigestRow {
  std::int64_t step = 0;
  std::string digest;
};
struct LiveChangeRow {
  std::int64_t step = 0;
  std::string param;
  double value = 0;
};
struct StateChangeRow {
  std::int64_t time_ms = 0;
  std::int64_t step = 0;
  RunState state = RunState::kQueued;
};
struct AttemptRow {
  std::int64_t attempt = 0;
  std::int64_t from_step = 0;
  std::int64_t total_steps = 0;
  std::int64_t started_ms = 0;
  Json environment;
  std::string data_digest;
};

// All that is kept of a run.
struct RunDetail {
  RunSummary summary;
  Json spec;
  RunId parent;
  std::vector<AttemptRow> attempts;
  std::vector<CheckpointRow> checkpoints;
  std::vector<DigestRow> digests;
  std::vector<LiveChangeRow> live_changes;
  std::vector<std::string> metrics;  // ids with points
  std::vector<StateChangeRow> states;
  std::vector<experiments::ReplayVerdict> replays;  // of this run, oldest first
  LedgerSnapshot predicted_peak;
  LedgerSnapshot peak;  // the highest of all samples
};

// What ends a query that asks for too much.
struct QueryLimits {
  std::int64_t max_rows = 100'000;
  std::chrono::milliseconds timeout{30'000};
};

class RunCatalog {
 public:
  virtual ~RunCatalog() = default;

  // Newest first. Trashed runs only if asked. A run whose owner process is dead reads as
  // interrupted, also before anyone has marked it.
  virtual Result<std::vector<RunSummary>> runs(bool with_trashed = false) = 0;
  // For a list that is kept up to date: revision 0 gives all runs, trashed ones included.
  virtual Result<RunsChange> runs_changed_since(std::int64_t revision) = 0;
  virtual Result<std::vector<SweepSummary>> sweeps() = 0;
  virtual Result<std::vector<experiments::PlannedPoint>> sweep_points(const SweepId& sweep) = 0;
  virtual Result<Json> sweep_spec(const SweepId& sweep) = 0;
  // `id` may be a unique prefix or a unique name. kUsage if none or several match.
  virtual Result<RunDetail> run(std::string_view id) = 0;
  virtual Result<SweepSummary> sweep(std::string_view id) = 0;
  // At most `max_points` buckets over [first_step, last_step], each an equal share of the steps;
  // every spike survives as min/max. An unknown metric gives no buckets.
  virtual Result<std::vector<CurvePoint>> curve(const RunId& run, std::string_view metric,
                                                std::int64_t first_step, std::int64_t last_step,
                                                std::int64_t max_points) = 0;
  // Every raw point, for export and replay.
  virtual Result<std::vector<experiments::MetricPoint>> points(const RunId& run,
                                                               std::string_view metric) = 0;
  // At most about `max_points` samples: where there are more, the one with the highest peak of each
  // group.
  virtual Result<std::vector<experiments::MemorySample>> memory_samples(
      const RunId& run, std::int64_t max_points) = 0;
  // The newest profile; kUsage if the run has none.
  virtual Result<experiments::MemoryProfile> memory_profile(const RunId& run) = 0;
  // Those after a step, in order; none of a run without palettes.
  virtual Result<std::vector<experiments::PaletteSnapshot>> palette_snapshots(
      const RunId& run, std::int64_t after_step) = 0;
  // The newest `max_lines` of a run's log ("" for lines of no run), oldest first.
  virtual Result<std::vector<experiments::LogLine>> log(const RunId& run,
                                                        std::int64_t max_lines) = 0;
  // Changes whenever any process wrote to the store (PRAGMA data_version): cheap to poll.
  virtual std::int64_t version() = 0;
  // A read-only SELECT over the tables of docs/store.md and the view `samples` (run, metric, step,
  // value, time_ms: every raw point). kUsage for anything that writes, attaches or takes too long.
  struct Table {
    std::vector<std::string> columns;
    std::vector<std::vector<Json>> rows;
    bool cut = false;  // there are more rows than the limit
  };
  virtual Result<Table> query(std::string_view sql, const QueryLimits& limits = {}) = 0;
};

// kStore if the file is damaged, locked or of a newer version; kUsage if it does not exist.
Result<std::unique_ptr<RunCatalog>> open_catalog(const std::string& file);

}  // namespace lathe::storage
