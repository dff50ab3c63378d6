// See run_catalog.h: the catalogue over a read-only connection. Lists are in catalog_lists.cpp.
#include "storage/run_catalog.h"

#include <algorithm>

#include "engine/base/json.h"
#include "storage/catalog_lists.h"
#include "storage/layouts.h"
#include "storage/memory_profile.h"
#include "storage/open_database.h"
#include "storage/palette_snapshots.h"
#include "storage/recorder.h"

namespace lathe::storage {
namespace {

using experiments::LogLevel;
using experiments::LogLine;
using experiments::MemoryProfile;
using experiments::MemorySample;
using experiments::MetricPoint;
using experiments::PaletteSnapshot;
using experiments::PlannedPoint;

// Every raw point as a row. The points of one chunk reach SQL as a JSON array.
constexpr const char* kSamplesView =
    "CREATE TEMP VIEW samples AS SELECT runs.id AS run, series.id AS metric, "
    "point.value ->> 0 AS step, point.value ->> 1 AS value, point.value ->> 2 AS time_ms "
    "FROM chunks JOIN runs ON runs.key = chunks.run JOIN series ON series.key = chunks.series "
    "JOIN json_each(chunk_points(chunks.data, chunks.count)) AS point "
    "WHERE chunks.level = 0 AND series.id <> 'memory samples'";

std::string chunk_points(std::span<const std::byte> data, std::int64_t count) {
  const Result<Columns> columns =
      decode_columns(data, kPointLayout.raw_columns, count > kChunkRows ? -1 : count);
  if (!columns.ok()) {
    throw SqlFailure(columns.error());
  }
  Json points = Json::array();
  for (std::size_t row = 0; row < static_cast<std::size_t>(count); ++row) {
    const MetricPoint point = point_at(*columns, row);
    points.push_back({point.step, point.value, point.time_ms});
  }
  return json_text(points);
}

class SqliteRunCatalog final : public RunCatalog {
 public:
  explicit SqliteRunCatalog(std::unique_ptr<Connection> connection)
      : connection_(std::move(connection)) {}

  Result<std::vector<RunSummary>> runs(bool with_trashed) override {
    return guarded([&] { return read_runs(*connection_, {.with_trashed = with_trashed}); });
  }
  Result<RunsChange> runs_changed_since(std::int64_t revision) override;
  Result<std::vector<SweepSummary>> sweeps() override {
    return guarded([&] { return read_sweeps(*connection_); });
  }
  Result<std::vector<PlannedPoint>> sweep_points(const SweepId& sweep) override {
    return guarded([&] { return read_sweep_points(*connection_, sweep); });
  }
  Result<Json> sweep_spec(const SweepId& sweep) override {
    return guarded([&] {
      const std::int64_t key = find_key(*connection_, "sweeps", sweep);
      return stored_json(*connection_,
                         connection_->text("SELECT spec FROM sweeps WHERE key = ?", {key}));
    });
  }
  Result<RunDetail> run(std::string_view id) override {
    return guarded(
        [&] { return read_run_detail(*connection_, find_key(*connection_, "runs", id)); });
  }
  Result<SweepSummary> sweep(std::string_view id) override;
  Result<std::vector<CurvePoint>> curve(const RunId& run, std::string_view metric,
                                        std::int64_t first_step, std::int64_t last_step,
                                        std::int64_t max_points) override;
  Result<std::vector<MetricPoint>> points(const RunId& run, std::string_view metric) override;
  Result<std::vector<MemorySample>> memory_samples(const RunId& run,
                                                   std::int64_t max_points) override;
  Result<MemoryProfile> memory_profile(const RunId& run) override;
  Result<std::vector<PaletteSnapshot>> palette_snapshots(const RunId& run,
                                                         std::int64_t after_step) override;
  Result<std::vector<LogLine>> log(const RunId& run, std::int64_t max_lines) override;
  std::int64_t version() override;
  Result<Table> query(std::string_view sql, const QueryLimits& limits) override;

 private:
  std::int64_t run_key(const RunId& run) {
    return connection_->integer("SELECT key FROM runs WHERE id = ?", {run});
  }
  std::int64_t series_key(std::string_view id) {
    return connection_->integer("SELECT key FROM series WHERE id = ?", {id});
  }
  Connection& query_connection();

  std::unique_ptr<Connection> connection_;
  std::unique_ptr<Connection> query_connection_;  // one that cannot write even by mistake
};

Result<RunsChange> SqliteRunCatalog::runs_changed_since(std::int64_t revision) {
  return guarded([&] {
    RunsChange change;
    change.revision = connection_->integer("SELECT value FROM revision");
    change.changed =
        read_runs(*connection_, {.with_trashed = true, .revision = revision > 0 ? revision : -1});
    Statement& row = connection_->prepare("SELECT run FROM purged WHERE revision > ?", {revision});
    while (row.step()) {
      change.purged.push_back(row.text(0));
    }
    row.reset();
    return change;
  });
}

Result<SweepSummary> SqliteRunCatalog::sweep(std::string_view id) {
  return guarded([&] {
    const std::int64_t key = find_key(*connection_, "sweeps", id);
    const std::string whole = connection_->text("SELECT id FROM sweeps WHERE key = ?", {key});
    for (SweepSummary& sweep : read_sweeps(*connection_)) {
      if (sweep.id == whole) {
        return sweep;
      }
    }
    throw SqlFailure({ErrorKind::kUsage, "sweep " + whole + " has just been purged", ""});
  });
}

// The bucket of `step` when [first, last] is cut into `count` equal shares.
std::int64_t share_of(std::int64_t step, std::int64_t first, std::int64_t last,
                      std::int64_t count) {
  const double position = (static_cast<double>(step) - static_cast<double>(first)) /
                          (static_cast<double>(last) - static_cast<double>(first) + 1);
  return std::min(static_cast<std::int64_t>(position * static_cast<double>(count)), count - 1);
}

Result<std::vector<CurvePoint>> SqliteRunCatalog::curve(const RunId& run, std::string_view metric,
                                                        std::int64_t first_step,
                                                        std::int64_t last_step,
                                                        std::int64_t max_points) {
  return guarded([&] {
    const std::int64_t run_id = run_key(run);
    const std::int64_t series = series_key(metric);
    const std::int64_t count = std::max<std::int64_t>(max_points, 1);
    const std::int64_t end = connection_->integer(
        "SELECT last_step FROM summaries WHERE run = ? AND series = ?", {run_id, series});
    const std::int64_t begin = connection_->integer(
        "SELECT first_step FROM chunks WHERE run = ? AND series = ? AND level = 0 "
        "ORDER BY first_step LIMIT 1",
        {run_id, series});
    const std::int64_t first = std::max(first_step, begin);
    const std::int64_t last = std::min(last_step, end);
    std::vector<CurvePoint> curve;
    std::int64_t share = -1;
    Bucket open;
    const int level = level_for(*connection_, run_id, series, first, last, count);
    visit_series(
        *connection_, run_id, series, kPointLayout, level, first, last,
        [&](const Columns& columns, std::size_t row, bool raw) {
          const Bucket bucket = bucket_at(columns, row, raw);
          const std::int64_t own = share_of(bucket.first_step, first, last, count);
          if (own == share) {
            merge(bucket, open);
            curve.pop_back();
          } else {
            open = bucket;
          }
          share = own;
          curve.push_back({open.first_step, open.min, open.max, open.last, open.non_finite});
        });
    return curve;
  });
}

Result<std::vector<MetricPoint>> SqliteRunCatalog::points(const RunId& run,
                                                          std::string_view metric) {
  return guarded([&] {
    std::vector<MetricPoint> points;
    visit_series(*connection_, run_key(run), series_key(metric), kPointLayout, 0, INT64_MIN,
                 INT64_MAX, [&](const Columns& columns, std::size_t row, bool) {
                   points.push_back(point_at(columns, row));
                   points.back().metric = metric;
                 });
    return points;
  });
}

Result<std::vector<MemorySample>> SqliteRunCatalog::memory_samples(const RunId& run,
                                                                   std::int64_t max_points) {
  return guarded([&] {
    const std::int64_t run_id = run_key(run);
    const std::int64_t series = series_key(kMemorySeries);
    const std::int64_t count = std::max<std::int64_t>(max_points, 1);
    const int level = level_for(*connection_, run_id, series, INT64_MIN, INT64_MAX, count);
    std::vector<MemorySample> samples;
    visit_series(*connection_, run_id, series, kMemoryLayout, level, INT64_MIN, INT64_MAX,
                 [&](const Columns& columns, std::size_t row, bool raw) {
                   samples.push_back(memory_at(columns, row, raw));
                   samples.back().run = run;
                 });
    const std::size_t group = samples.size() / static_cast<std::size_t>(count) + 1;
    std::vector<MemorySample> kept;
    for (std::size_t begin = 0; begin < samples.size(); begin += group) {
      const auto first = samples.begin() + static_cast<std::ptrdiff_t>(begin);
      const auto end =
          samples.begin() + static_cast<std::ptrdiff_t>(std::min(begin + group, samples.size()));
      kept.push_back(*std::max_element(first, end, [](const auto& a, const auto& b) {
        return a.peak.live_bytes < b.peak.live_bytes;
      }));
    }
    return kept;
  });
}

Result<MemoryProfile> SqliteRunCatalog::memory_profile(const RunId& run) {
  return guarded([&] {
    MemoryProfile profile = load_memory_profile(*connection_, run_key(run));
    profile.run = run;
    return profile;
  });
}

Result<std::vector<PaletteSnapshot>> SqliteRunCatalog::palette_snapshots(const RunId& run,
                                                                         std::int64_t after_step) {
  return guarded([&] {
    auto snapshots = load_palette_snapshots(*connection_, run_key(run), after_step);
    for (PaletteSnapshot& snapshot : snapshots) {
      snapshot.run = run;
    }
    return snapshots;
  });
}

Result<std::vector<LogLine>> SqliteRunCatalog::log(const RunId& run, std::int64_t max_lines) {
  return guarded([&] {
    const SqlValue key = run.empty() ? SqlValue(nullptr) : SqlValue(run_key(run));
    Statement& row = connection_->prepare(
        "SELECT time_ms, level, text FROM log WHERE run IS ? ORDER BY key DESC LIMIT ?",
        {key, max_lines});
    std::vector<LogLine> lines;
    while (row.step()) {
      const std::string level = row.text(1);
      lines.push_back({run,
                       level == "info"      ? LogLevel::kInfo
                       : level == "warning" ? LogLevel::kWarning
                                            : LogLevel::kError,
                       row.text(2), row.integer(0)});
    }
    row.reset();
    std::reverse(lines.begin(), lines.end());
    return lines;
  });
}

std::int64_t SqliteRunCatalog::version() {
  const Result<std::int64_t> version =
      guarded([&] { return connection_->integer("PRAGMA data_version"); });
  return version.ok() ? *version : -1;
}

Connection& SqliteRunCatalog::query_connection() {
  if (!query_connection_) {
    query_connection_ = open_for_reading(connection_->file());
    query_connection_->define("chunk_points", chunk_points);
    query_connection_->script(kSamplesView);
    query_connection_->forbid_writing();
  }
  return *query_connection_;
}

Result<RunCatalog::Table> SqliteRunCatalog::query(std::string_view sql, const QueryLimits& limits) {
  Result<Table> answer = guarded([&] {
    Connection& connection = query_connection();
    const std::string text(sql);
    connection.check_only_reads(text);
    connection.set_deadline(std::chrono::steady_clock::now() + limits.timeout);
    const std::unique_ptr<Statement> row = connection.prepare_once(text);
    Table table;
    for (int column = 0; column < row->column_count(); ++column) {
      table.columns.push_back(row->column_name(column));
    }
    while (row->step()) {
      if (static_cast<std::int64_t>(table.rows.size()) >= limits.max_rows) {
        table.cut = true;
        break;
      }
      std::vector<Json>& values = table.rows.emplace_back();
      for (int column = 0; column < row->column_count(); ++column) {
        values.push_back(row->json(column));
      }
    }
    return table;
  });
  if (!answer.ok() && answer.error().kind == ErrorKind::kFailed) {  // of the query, not of the file
    return Error{ErrorKind::kUsage, answer.error().message, "docs/store.md lists the tables"};
  }
  return answer;
}

}  // namespace

Result<std::unique_ptr<RunCatalog>> open_catalog(const std::string& file) {
  return guarded([&]() -> std::unique_ptr<RunCatalog> {
    return std::make_unique<SqliteRunCatalog>(open_for_reading(file));
  });
}

}  // namespace lathe::storage
