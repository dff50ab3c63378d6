// The list of migrations (schema.h). Rows that say nothing are left out rather than kept as NULL;
// NaN is NULL, because SQLite has no NaN.
#include <array>

#include "storage/schema.h"

namespace lathe::storage {
namespace {

constexpr std::string_view kVersion1 = R"sql(
CREATE TABLE meta (key TEXT PRIMARY KEY, value TEXT NOT NULL) STRICT;
INSERT INTO meta VALUES ('readable_from', '1');
CREATE TABLE migrations (version INTEGER PRIMARY KEY, program TEXT NOT NULL,
  time_ms INTEGER NOT NULL) STRICT;
CREATE TABLE processes (key INTEGER PRIMARY KEY, pid INTEGER NOT NULL,
  start_ticks INTEGER NOT NULL, boot_id TEXT NOT NULL, pid_namespace TEXT NOT NULL,
  host TEXT NOT NULL, heartbeat_ms INTEGER NOT NULL) STRICT;
CREATE TABLE specs (hash TEXT PRIMARY KEY, document TEXT NOT NULL) STRICT;

CREATE TABLE sweeps (key INTEGER PRIMARY KEY, id TEXT NOT NULL UNIQUE, name TEXT NOT NULL,
  spec TEXT NOT NULL,
  state TEXT NOT NULL CHECK (state IN ('running', 'done', 'partial', 'stopped', 'interrupted')),
  created_ms INTEGER NOT NULL, ended_ms INTEGER NOT NULL DEFAULT 0,
  owner INTEGER REFERENCES processes(key)) STRICT;
CREATE TABLE points (sweep INTEGER NOT NULL REFERENCES sweeps(key) ON DELETE CASCADE,
  point INTEGER NOT NULL, run TEXT NOT NULL, label TEXT NOT NULL,
  spec TEXT NOT NULL REFERENCES specs(hash), predicted_peak_bytes INTEGER NOT NULL,
  predicted_params INTEGER NOT NULL, predicted_stored_bytes INTEGER NOT NULL,
  predicted_flops_per_step REAL, excluded_because TEXT NOT NULL,
  PRIMARY KEY (sweep, point)) STRICT;
CREATE INDEX points_spec ON points (spec);

CREATE TABLE runs (key INTEGER PRIMARY KEY, id TEXT NOT NULL UNIQUE, name TEXT NOT NULL,
  sweep INTEGER REFERENCES sweeps(key) ON DELETE SET NULL, point INTEGER NOT NULL,
  kind TEXT NOT NULL, parent TEXT NOT NULL, spec TEXT NOT NULL REFERENCES specs(hash),
  state TEXT NOT NULL CHECK (state IN ('queued', 'running', 'paused', 'done', 'failed', 'stopped',
    'interrupted', 'excluded')),
  step INTEGER NOT NULL DEFAULT 0, total_steps INTEGER NOT NULL DEFAULT 0,
  created_ms INTEGER NOT NULL, started_ms INTEGER NOT NULL DEFAULT 0,
  ended_ms INTEGER NOT NULL DEFAULT 0, predicted_peak_bytes INTEGER NOT NULL,
  peak_bytes INTEGER NOT NULL DEFAULT 0, error_kind INTEGER NOT NULL DEFAULT 0,
  error TEXT NOT NULL DEFAULT '', remedy TEXT NOT NULL DEFAULT '', note TEXT NOT NULL DEFAULT '',
  trashed_ms INTEGER NOT NULL DEFAULT 0, owner INTEGER REFERENCES processes(key),
  revision INTEGER NOT NULL DEFAULT 0) STRICT;
CREATE INDEX runs_sweep ON runs (sweep);
CREATE INDEX runs_name ON runs (name);
CREATE INDEX runs_spec ON runs (spec);
CREATE INDEX runs_owner ON runs (owner) WHERE owner IS NOT NULL;
CREATE INDEX runs_revision ON runs (revision);
CREATE TABLE revision (value INTEGER NOT NULL) STRICT;
INSERT INTO revision VALUES (0);
CREATE TABLE purged (run TEXT NOT NULL, revision INTEGER NOT NULL) STRICT;
CREATE INDEX purged_revision ON purged (revision);

CREATE TABLE attempts (run INTEGER NOT NULL REFERENCES runs(key) ON DELETE CASCADE,
  attempt INTEGER NOT NULL, from_step INTEGER NOT NULL, total_steps INTEGER NOT NULL,
  started_ms INTEGER NOT NULL, environment TEXT NOT NULL, data_digest TEXT NOT NULL,
  PRIMARY KEY (run, attempt)) STRICT;
CREATE TABLE state_changes (key INTEGER PRIMARY KEY,
  run INTEGER NOT NULL REFERENCES runs(key) ON DELETE CASCADE, time_ms INTEGER NOT NULL,
  step INTEGER NOT NULL, state TEXT NOT NULL) STRICT;
CREATE INDEX state_changes_run ON state_changes (run);
CREATE TABLE tags (run INTEGER NOT NULL REFERENCES runs(key) ON DELETE CASCADE,
  tag TEXT NOT NULL, PRIMARY KEY (run, tag)) STRICT, WITHOUT ROWID;

CREATE TABLE metric_defs (id TEXT PRIMARY KEY, unit TEXT NOT NULL, better TEXT NOT NULL,
  log_scale INTEGER NOT NULL, deterministic INTEGER NOT NULL, help TEXT NOT NULL) STRICT;
CREATE TABLE series (key INTEGER PRIMARY KEY, id TEXT NOT NULL UNIQUE) STRICT;
CREATE TABLE summaries (run INTEGER NOT NULL REFERENCES runs(key) ON DELETE CASCADE,
  series INTEGER NOT NULL REFERENCES series(key), count INTEGER NOT NULL,
  last_step INTEGER NOT NULL, last REAL, best REAL, PRIMARY KEY (run, series))
  STRICT, WITHOUT ROWID;
CREATE TABLE chunks (run INTEGER NOT NULL REFERENCES runs(key) ON DELETE CASCADE,
  series INTEGER NOT NULL REFERENCES series(key), level INTEGER NOT NULL,
  first_step INTEGER NOT NULL, last_step INTEGER NOT NULL, first_index INTEGER NOT NULL,
  count INTEGER NOT NULL, data BLOB NOT NULL,
  PRIMARY KEY (run, series, level, first_step)) STRICT;

CREATE TABLE ledger_peaks (run INTEGER NOT NULL REFERENCES runs(key) ON DELETE CASCADE,
  source TEXT NOT NULL CHECK (source IN ('predicted', 'actual')), category TEXT NOT NULL,
  bytes INTEGER NOT NULL, PRIMARY KEY (run, source, category)) STRICT, WITHOUT ROWID;
CREATE TABLE memory_profiles (run INTEGER PRIMARY KEY REFERENCES runs(key) ON DELETE CASCADE,
  step INTEGER NOT NULL, peak_bytes INTEGER NOT NULL, peak_phase TEXT NOT NULL,
  peak_by_category TEXT NOT NULL, peak_by_layer TEXT NOT NULL, tags TEXT NOT NULL,
  events INTEGER NOT NULL, time_line BLOB NOT NULL) STRICT;

CREATE TABLE checkpoints (run INTEGER NOT NULL REFERENCES runs(key) ON DELETE CASCADE,
  step INTEGER NOT NULL, path TEXT NOT NULL, bytes INTEGER NOT NULL, time_ms INTEGER NOT NULL,
  PRIMARY KEY (run, step)) STRICT;
CREATE TABLE digests (run INTEGER NOT NULL REFERENCES runs(key) ON DELETE CASCADE,
  step INTEGER NOT NULL, digest TEXT NOT NULL, PRIMARY KEY (run, step)) STRICT, WITHOUT ROWID;
CREATE TABLE live_changes (run INTEGER NOT NULL REFERENCES runs(key) ON DELETE CASCADE,
  step INTEGER NOT NULL, param TEXT NOT NULL, value REAL, PRIMARY KEY (run, step, param))
  STRICT, WITHOUT ROWID;
CREATE TABLE replays (key INTEGER PRIMARY KEY, original TEXT NOT NULL, replay TEXT NOT NULL,
  verdict TEXT NOT NULL, first_difference INTEGER NOT NULL, detail TEXT NOT NULL,
  time_ms INTEGER NOT NULL) STRICT;
CREATE INDEX replays_original ON replays (original);
CREATE TABLE log (key INTEGER PRIMARY KEY, run INTEGER REFERENCES runs(key) ON DELETE CASCADE,
  time_ms INTEGER NOT NULL, level TEXT NOT NULL, text TEXT NOT NULL) STRICT;
CREATE INDEX log_run ON log (run);
)sql";

// Replicates (runs that differ in their seed alone) become one group; last and best values get a
// view that needs no keys.
constexpr std::string_view kVersion2 = R"sql(
ALTER TABLE runs ADD COLUMN replicate_group TEXT NOT NULL DEFAULT '';
CREATE VIEW run_metrics AS SELECT runs.id AS run, runs.name AS name, series.id AS metric,
  summaries.count AS count, summaries.last_step AS last_step, summaries.last AS last,
  summaries.best AS best
  FROM summaries JOIN runs ON runs.key = summaries.run JOIN series ON series.key = summaries.series;
)sql";

// Memory samples have a column more in the chunks that are written from now on (layouts.cpp), which
// older programs cannot read.
constexpr std::string_view kVersion3 = R"sql(
UPDATE meta SET value = '3' WHERE key = 'readable_from';
)sql";

// What palettes look like in the course of a run (palette_snapshots.cpp).
constexpr std::string_view kVersion4 = R"sql(
CREATE TABLE palette_snapshots (run INTEGER NOT NULL REFERENCES runs(key) ON DELETE CASCADE,
  step INTEGER NOT NULL, palettes TEXT NOT NULL, histograms BLOB NOT NULL, centroids BLOB NOT NULL,
  PRIMARY KEY (run, step)) STRICT;
)sql";

constexpr std::array kMigrations{Migration{1, kVersion1}, Migration{2, kVersion2},
                                 Migration{3, kVersion3}, Migration{4, kVersion4}};

}  // namespace

std::span<const Migration> migrations() {
  return kMigrations;
}

}  // namespace lathe::storage
