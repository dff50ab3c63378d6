// See recorder.h: metric points, memory samples and profiles, snapshots of palettes, and the
// summaries that the runs list reads.
#include <cmath>
#include <limits>

#include "engine/base/json.h"
#include "storage/clock.h"
#include "storage/layouts.h"
#include "storage/memory_profile.h"
#include "storage/palette_snapshots.h"
#include "storage/recorder.h"

namespace lathe::storage {

using namespace experiments;

namespace {

constexpr double kNone = std::numeric_limits<double>::quiet_NaN();

double better_of(Better better, double best, const Bucket& bucket) {
  switch (better) {
    case Better::kLower:
      return std::fmin(best, bucket.min);
    case Better::kHigher:
      return std::fmax(best, bucket.max);
    case Better::kNeither:
      return kNone;
  }
  return kNone;
}

}  // namespace

std::int64_t Recorder::series_key_of(std::string_view id) {
  const auto known = series_keys_.find(id);
  if (known != series_keys_.end()) {
    return known->second;
  }
  connection_.run("INSERT INTO series (id) VALUES (?) ON CONFLICT DO NOTHING", {id});
  const std::int64_t key = connection_.integer("SELECT key FROM series WHERE id = ?", {id});
  series_keys_.emplace(id, key);
  return key;
}

Recorder::Tracked& Recorder::tracked(std::int64_t run, std::string_view id,
                                     const SeriesLayout& layout) {
  const SeriesKey key{run, series_key_of(id)};
  auto found = series_.find(key);
  if (found == series_.end()) {
    auto opened = std::make_unique<Tracked>(Tracked{
        .series = Series(connection_, run, key.second, layout), .last = kNone, .best = kNone});
    const MetricDef* def = find_metric(id);
    opened->better = def == nullptr ? Better::kNeither : def->better;
    found = series_.emplace(key, std::move(opened)).first;
    if (&layout == &kPointLayout) {
      summarise(key, *found->second);
    }
  }
  return *found->second;
}

// The summary of what is stored, from the top of the pyramid.
void Recorder::summarise(const SeriesKey& key, Tracked& tracked) {
  tracked.last = kNone;
  tracked.best = kNone;
  if (tracked.series.count() == 0) {
    return;
  }
  const int level = level_for(connection_, key.first, key.second, INT64_MIN, INT64_MAX, 1);
  visit_series(connection_, key.first, key.second, kPointLayout, level, INT64_MIN, INT64_MAX,
               [&](const Columns& columns, std::size_t row, bool raw) {
                 const Bucket bucket = bucket_at(columns, row, raw);
                 tracked.last = bucket.last;
                 tracked.best = better_of(tracked.better, tracked.best, bucket);
               });
}

void Recorder::add_point(const SeriesKey& key, Tracked& tracked, const MetricPoint& point) {
  if (point.step <= tracked.series.last_step()) {
    tracked.series.truncate_after(point.step - 1);
    summarise(key, tracked);
  }
  const std::vector<std::uint64_t> words = point_words(point);
  tracked.series.append(words);
  tracked.changed = true;
  tracked.last = point.value;
  const bool finite = std::isfinite(point.value);
  const double shown = finite ? point.value : kNone;
  tracked.best = better_of(tracked.better, tracked.best, {.min = shown, .max = shown});
}

void Recorder::on(const MetricBatch& event) {
  const std::int64_t run = key_of(event.run);
  std::int64_t step = INT64_MIN;
  for (const MetricPoint& point : event.points) {
    Tracked& series = tracked(run, point.metric, kPointLayout);
    add_point({run, series_key_of(point.metric)}, series, point);
    step = std::max(step, point.step);
  }
  connection_.run("UPDATE runs SET step = max(step, ?) WHERE key = ?", {step, run});
  touch(run);
}

void Recorder::on(const MemorySample& event) {
  const std::int64_t run = key_of(event.run);
  Tracked& series = tracked(run, kMemorySeries, kMemoryLayout);
  series.series.append(memory_words(event));
  series.changed = true;
  connection_.run("UPDATE runs SET peak_bytes = ? WHERE key = ? AND peak_bytes < ?",
                  {event.peak.live_bytes, run, event.peak.live_bytes});
  if (connection_.changes() == 0) {
    return;
  }
  for (std::size_t i = 0; i < kCategoryCount; ++i) {
    connection_.run(
        "INSERT INTO ledger_peaks (run, source, category, bytes) VALUES (?, 'actual', ?, ?) "
        "ON CONFLICT DO UPDATE SET bytes = excluded.bytes",
        {run, kCategoryNames[i], event.peak.by_category[i]});
  }
  touch(run);
}

void Recorder::on(const MemoryProfile& event) {
  store_memory_profile(connection_, key_of(event.run), event);
}

void Recorder::on(const PaletteSnapshot& event) {
  const std::int64_t run = key_of(event.run);
  store_palette_snapshot(connection_, run, event);
  touch(run);
}

// A run goes on from an older step: what it recorded after that step will come again.
void Recorder::rewind(std::int64_t run, std::int64_t step) {
  std::vector<std::string> ids{std::string(kMemorySeries)};
  Statement& row = connection_.prepare(
      "SELECT id FROM summaries JOIN series ON series.key = summaries.series WHERE run = ?", {run});
  while (row.step()) {
    ids.push_back(row.text(0));
  }
  row.reset();
  for (const std::string& id : ids) {
    const bool memory = id == kMemorySeries;
    Tracked& series = tracked(run, id, memory ? kMemoryLayout : kPointLayout);
    if (step < series.series.last_step()) {
      series.series.truncate_after(step);
      series.changed = true;
      if (!memory) {
        summarise({run, series_key_of(id)}, series);
      }
    }
  }
  connection_.run("DELETE FROM digests WHERE run = ? AND step > ?", {run, step});
  connection_.run("DELETE FROM palette_snapshots WHERE run = ? AND step > ?", {run, step});
  connection_.run("DELETE FROM checkpoints WHERE run = ? AND step > ?", {run, step});
}

void Recorder::finish_transaction() {
  const std::int64_t memory =
      series_keys_.contains(kMemorySeries) ? series_key_of(kMemorySeries) : 0;
  for (auto& [key, tracked] : series_) {
    if (!tracked->changed) {
      continue;
    }
    tracked->changed = false;
    tracked->series.save();
    if (key.second != memory) {
      connection_.run(
          "INSERT INTO summaries (run, series, count, last_step, last, best) "
          "VALUES (?, ?, ?, ?, ?, ?) ON CONFLICT DO UPDATE SET count = excluded.count, "
          "last_step = excluded.last_step, last = excluded.last, best = excluded.best",
          {key.first, key.second, tracked->series.count(), tracked->series.last_step(),
           tracked->last, tracked->best});
    }
  }
  if (touched_.empty()) {
    return;
  }
  connection_.run("UPDATE revision SET value = value + 1");
  for (const std::int64_t run : touched_) {
    connection_.run("UPDATE runs SET revision = (SELECT value FROM revision) WHERE key = ?", {run});
  }
  touched_.clear();
}

// Frees what is kept of a run that has ended; its rows are saved first.
void Recorder::forget_run(std::int64_t run) {
  finish_transaction();
  const auto begin = series_.lower_bound({run, INT64_MIN});
  const auto end = series_.lower_bound({run + 1, INT64_MIN});
  series_.erase(begin, end);
}

}  // namespace lathe::storage
