// The desk's thread: edits first, then lists, specs and curves, and one snapshot if anything
// changed.
#include "ui/model/store_desk.h"

#include <algorithm>
#include <chrono>
#include <limits>
#include <tuple>
#include <utility>

#include "ui/model/weight_palettes.h"

namespace lathe::ui {

namespace {

constexpr auto kPollInterval = std::chrono::milliseconds(250);
constexpr std::size_t kSpecsPerRound = 200;

bool may_still_grow(experiments::RunState state) {
  return state == experiments::RunState::kRunning || state == experiments::RunState::kPaused ||
         state == experiments::RunState::kQueued;
}

}  // namespace

StoreDesk::StoreDesk(StorePort port, std::function<void()> wake)
    : port_(std::move(port)),
      wake_(std::move(wake)),
      published_(std::make_shared<const StoreSnapshot>()),
      thread_([this] { work(); }) {}

StoreDesk::~StoreDesk() {
  {
    const std::lock_guard lock(mutex_);
    stop_ = true;
  }
  news_.notify_all();
  thread_.join();
}

std::shared_ptr<const StoreSnapshot> StoreDesk::snapshot() const {
  const std::lock_guard lock(mutex_);
  return published_;
}

void StoreDesk::want(const std::set<std::string>& runs) {
  const std::lock_guard lock(mutex_);
  if (runs != wanted_) {
    wanted_ = runs;
    news_.notify_all();
  }
}

void StoreDesk::edit(StoreEdit edit) {
  const std::lock_guard lock(mutex_);
  edits_.push_back(std::move(edit));
  news_.notify_all();
}

void StoreDesk::work() {
  StoreSnapshot next;
  std::set<std::string> wanted;
  while (true) {
    std::vector<StoreEdit> edits;
    {
      std::unique_lock lock(mutex_);
      news_.wait_for(lock, kPollInterval,
                     [&] { return stop_ || !edits_.empty() || wanted_ != wanted || !next.loaded; });
      // Edits given before the end are still carried out.
      if (stop_ && edits_.empty()) {
        return;
      }
      edits = std::exchange(edits_, {});
      wanted = wanted_;
    }
    bool changed = !edits.empty() || !next.loaded;
    apply_edits(std::move(edits), next);
    read_lists(next, changed);
    read_specs(next, changed);
    read_records(next, wanted, changed);
    next.loaded = true;
    if (changed) {
      next.revision += 1;
      {
        const std::lock_guard lock(mutex_);
        published_ = std::make_shared<const StoreSnapshot>(next);
      }
      wake_();
    }
  }
}

void StoreDesk::apply_edits(std::vector<StoreEdit> edits, StoreSnapshot& next) {
  for (const StoreEdit& edit : edits) {
    const Result<void> done = port_.edit(edit);
    next.edit_error = done ? std::string() : done.error().text();
    version_ = -1;
  }
}

void StoreDesk::read_lists(StoreSnapshot& next, bool& changed) {
  if (!catalog_) {
    Result<std::unique_ptr<storage::RunCatalog>> opened = port_.open();
    if (!opened) {
      changed = changed || next.error != opened.error().text();
      next.error = opened.error().text();
      return;
    }
    catalog_ = std::move(opened).value();
  }
  const std::int64_t version = catalog_->version();
  if (version == version_) {
    return;
  }
  Result<storage::RunsChange> runs = catalog_->runs_changed_since(runs_revision_);
  Result<std::vector<storage::SweepSummary>> sweeps = catalog_->sweeps();
  changed = true;
  if (!runs || !sweeps) {
    next.error = runs ? sweeps.error().text() : runs.error().text();
    return;
  }
  next.error.clear();
  take_runs(std::move(runs).value(), next.runs);
  next.sweeps = std::move(sweeps).value();
  version_ = version;
}

// Replaces the runs that changed, adds the new ones, newest first.
void StoreDesk::take_runs(storage::RunsChange change, std::vector<storage::RunSummary>& runs) {
  runs_revision_ = change.revision;
  std::map<std::string, storage::RunSummary> fresh;
  for (storage::RunSummary& run : change.changed) {
    const std::string id = run.id;
    fresh[id] = std::move(run);
  }
  const std::set<std::string> purged(change.purged.begin(), change.purged.end());
  std::erase_if(runs, [&](const storage::RunSummary& run) { return purged.count(run.id) > 0; });
  for (storage::RunSummary& run : runs) {
    const auto found = fresh.find(run.id);
    if (found != fresh.end()) {
      run = std::move(found->second);
      fresh.erase(found);
    }
  }
  for (auto& [id, run] : fresh) {
    runs.push_back(std::move(run));
  }
  if (!fresh.empty()) {
    std::stable_sort(runs.begin(), runs.end(), [](const auto& a, const auto& b) {
      return std::tie(a.created_ms, a.id) > std::tie(b.created_ms, b.id);
    });
  }
}

// Specs never change once written: each is read once, the newest runs first.
void StoreDesk::read_specs(StoreSnapshot& next, bool& changed) {
  std::size_t read = 0;
  for (const storage::RunSummary& run : next.runs) {
    if (read >= kSpecsPerRound || !catalog_) {
      return;
    }
    if (next.specs.count(run.id) > 0) {
      continue;
    }
    const Result<storage::RunDetail> detail = catalog_->run(run.id);
    next.specs[run.id] = std::make_shared<const Json>(detail ? detail->spec : Json(Json::object()));
    ++read;
    changed = true;
  }
}

void StoreDesk::read_records(StoreSnapshot& next, const std::set<std::string>& wanted,
                             bool& changed) {
  const std::size_t dropped = std::erase_if(
      next.records, [&](const auto& record) { return wanted.count(record.first) == 0; });
  changed = changed || dropped > 0;
  for (const storage::RunSummary& run : next.runs) {
    if (wanted.count(run.id) == 0 || !catalog_) {
      continue;
    }
    const auto have = next.records.find(run.id);
    const bool fresh =
        have != next.records.end() &&
        (record_version_[run.id] == version_ ||
         (!may_still_grow(run.state) && !may_still_grow(have->second->detail.summary.state)));
    if (fresh) {
      continue;
    }
    const RunRecord* before = have == next.records.end() ? nullptr : have->second.get();
    const Result<std::shared_ptr<const RunRecord>> record = read_record(run.id, before);
    if (record) {
      next.records[run.id] = *record;
      record_version_[run.id] = version_;
    } else {
      next.error = record.error().text();
    }
    changed = true;
  }
}

Result<std::shared_ptr<const RunRecord>> StoreDesk::read_record(const std::string& run,
                                                                const RunRecord* before) {
  auto record = std::make_shared<RunRecord>();
  Result<storage::RunDetail> detail = catalog_->run(run);
  if (!detail) {
    return detail.error();
  }
  record->detail = std::move(detail).value();
  for (const std::string& metric : record->detail.metrics) {
    const Result<std::vector<storage::CurvePoint>> points =
        catalog_->curve(run, metric, 0, std::numeric_limits<std::int64_t>::max(), kCurvePoints);
    if (!points) {
      return points.error();
    }
    Series series;
    for (const storage::CurvePoint& point : *points) {
      series.append(Bucket{.x = static_cast<double>(point.step),
                           .min = point.min,
                           .max = point.max,
                           .last = point.last});
    }
    record->series[metric] = std::make_shared<const Series>(std::move(series));
  }
  Result<std::vector<experiments::MemorySample>> memory =
      catalog_->memory_samples(run, kCurvePoints / 2);
  if (!memory) {
    return memory.error();
  }
  record->memory =
      std::make_shared<const std::vector<experiments::MemorySample>>(std::move(memory).value());
  // Long lists, of one step an attempt: those of a run that goes on are not read each time.
  const bool goes_on =
      before != nullptr && before->detail.attempts.size() == record->detail.attempts.size();
  if (const Result<void> read = read_palettes(run, goes_on ? before : nullptr, *record); !read) {
    return read.error();
  }
  if (goes_on && before->step != nullptr) {
    record->step = before->step;
  } else if (const Result<experiments::MemoryProfile> profile = catalog_->memory_profile(run);
             profile && !profile->time_line.empty()) {
    record->step = std::make_shared<const StepScene>(step_scene(*profile));
  }
  return std::shared_ptr<const RunRecord>(std::move(record));
}

Result<void> StoreDesk::read_palettes(const std::string& run, const RunRecord* before,
                                      RunRecord& record) {
  const auto known = before == nullptr ? nullptr : before->palettes;
  const std::int64_t last = known == nullptr ? -1 : known->back().step;
  Result<std::vector<experiments::PaletteSnapshot>> more = catalog_->palette_snapshots(run, last);
  if (!more) {
    return more.error();
  }
  if (more->empty()) {
    record.palettes = known;
    return {};
  }
  std::vector<experiments::PaletteSnapshot> all;
  if (known != nullptr) {
    all = *known;
  }
  for (experiments::PaletteSnapshot& snapshot : *more) {
    add_snapshot(all, std::move(snapshot), kPaletteSnapshots);
  }
  record.palettes =
      std::make_shared<const std::vector<experiments::PaletteSnapshot>>(std::move(all));
  return {};
}

}  // namespace lathe::ui
