// What the workbench's panels see of the world: the snapshots of a frame, the run in focus, the
// runs that plots draw, and the scrubber's place.
#include <algorithm>
#include <set>
#include <utility>

#include "ui/workbench.h"

namespace lathe::ui {

namespace ex = lathe::experiments;

namespace {

constexpr std::size_t kMaxShown = 32;

}  // namespace

void Workbench::take_snapshots() {
  std::shared_ptr<const LiveState> live = ports_.live->snapshot();
  std::shared_ptr<const StoreSnapshot> store = ports_.desk->snapshot();
  preview_ = ports_.preview->latest();
  if (live == live_ && store == store_) {
    return;
  }
  live_ = std::move(live);
  store_ = std::move(store);
  rows_ = merge_runs(*store_, *live_);
  row_index_.clear();
  for (std::size_t i = 0; i < rows_.size(); ++i) {
    row_index_[rows_[i].id] = i;
  }
  ++rows_revision_;
}

// The focus follows the run that trains until the person chooses another.
void Workbench::follow_focus() {
  if (live_->active.empty()) {
    if (row_index_.count(state_.focus) == 0) {
      const auto first =
          std::find_if(rows_.begin(), rows_.end(), [](const RunRow& row) { return !row.trashed; });
      if (first != rows_.end()) {
        state_.focus = first->id;
      }
    }
    return;
  }
  if (state_.follow_newest && row_index_.count(live_->active) > 0) {
    state_.focus = live_->active;
  }
}

// What the plots draw: the ticked runs and the one that trains; with none ticked, the sweep of the
// run in focus.
void Workbench::choose_shown() {
  shown_.clear();
  const auto add = [&](const std::string& run) {
    if (!run.empty() && shown_.size() < kMaxShown && !contains(shown_, run)) {
      shown_.push_back(run);
    }
  };
  const auto focus = row_index_.find(state_.focus);
  if (!state_.compared.empty()) {
    for (const std::string& run : state_.compared) {
      add(run);
    }
    add(live_->active);
  } else if (focus != row_index_.end()) {
    const RunRow& focused = rows_[focus->second];
    std::vector<const RunRow*> siblings;
    for (const RunRow& row : rows_) {
      if (!focused.sweep.empty() && row.sweep == focused.sweep && !row.trashed) {
        siblings.push_back(&row);
      }
    }
    std::stable_sort(siblings.begin(), siblings.end(),
                     [](const RunRow* a, const RunRow* b) { return a->point < b->point; });
    for (const RunRow* row : siblings) {
      add(row->id);
    }
  }
  add(state_.focus);
  std::erase_if(shown_, [&](const std::string& run) { return row_index_.count(run) == 0; });
  std::set<std::string> wanted(shown_.begin(), shown_.end());
  ports_.desk->want(wanted);
}

void Workbench::update_scrubber(double secs) {
  const auto focus = row_index_.find(state_.focus);
  if (scrubbed_run_ != state_.focus) {
    scrubbed_run_ = state_.focus;
    scrubber_.go_live();
  }
  if (focus == row_index_.end()) {
    scrubber_.set_extent(0, 0);
    scrubber_.set_flags({});
    return;
  }
  scrubber_.set_extent(0, static_cast<double>(rows_[focus->second].step));
  std::vector<TimeFlag> flags;
  const auto add = [&](std::int64_t step, FlagKind kind) {
    flags.push_back({static_cast<double>(step), kind});
  };
  const auto record = store_->records.find(state_.focus);
  if (const LiveRun* live = live_->find(state_.focus)) {
    for (const std::int64_t step : live->checkpoint_steps) {
      add(step, FlagKind::kCheckpoint);
    }
    for (const ex::LiveChanged& change : live->changes) {
      add(change.step, FlagKind::kChange);
    }
  } else if (record != store_->records.end()) {
    for (const storage::CheckpointRow& checkpoint : record->second->detail.checkpoints) {
      add(checkpoint.step, FlagKind::kCheckpoint);
    }
    for (const storage::LiveChangeRow& change : record->second->detail.live_changes) {
      add(change.step, FlagKind::kChange);
    }
  }
  const auto evaluations = series_of(*store_, *live_, state_.focus, "eval/loss");
  if (evaluations) {
    for (const Bucket& bucket : evaluations->sample(0, scrubber_.last(), 100)) {
      flags.push_back({bucket.x, FlagKind::kEvaluation});
    }
  }
  scrubber_.set_flags(std::move(flags));
  scrubber_.tick(secs);
}

void Workbench::update_preview() {
  if (previewed_revision_ == draft_.revision()) {
    return;
  }
  previewed_revision_ = draft_.revision();
  Result<ex::SweepSpec> sweep = draft_.spec();
  if (sweep) {
    ports_.preview->request(draft_.revision(), std::move(sweep).value());
  }
}

}  // namespace lathe::ui
