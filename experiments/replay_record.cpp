// Records out of events.
#include <algorithm>
#include <tuple>
#include <variant>

#include "experiments/replay.h"

namespace lathe::experiments {
namespace {

void drop_early_twins(MetricSeries& series) {
  std::stable_sort(series.begin(), series.end(),
                   [](const auto& a, const auto& b) { return a.first < b.first; });
  // Reversed, std::unique keeps the later of two equal steps.
  std::reverse(series.begin(), series.end());
  series.erase(std::unique(series.begin(), series.end(),
                           [](const auto& a, const auto& b) { return a.first == b.first; }),
               series.end());
  std::reverse(series.begin(), series.end());
}

void take(const RunStarted& event, RecordedRun& record) {
  record.environment.push_back(event.environment);
  record.data_digest = event.data_digest;
}
void take(const RunCreated& event, RecordedRun& record) {
  record.spec = event.spec;
}
void take(const MetricBatch& event, RecordedRun& record) {
  for (const MetricPoint& point : event.points) {
    record.metrics[point.metric].emplace_back(point.step, point.value);
    record.last_step = std::max(record.last_step, point.step);
  }
}
void take(const DigestTaken& event, RecordedRun& record) {
  record.digests[event.step] = event.digest;
}
// In the order of the steps; of a parameter changed twice at one step, also by a resume that
// repeats what happened after its checkpoint, the later value.
void take(const LiveChanged& event, RecordedRun& record) {
  std::vector<LiveChanged>& changes = record.live_changes;
  const auto not_before =
      std::find_if(changes.begin(), changes.end(), [&](const LiveChanged& known) {
        return std::tie(known.step, known.param) >= std::tie(event.step, event.param);
      });
  if (not_before != changes.end() && not_before->step == event.step &&
      not_before->param == event.param) {
    *not_before = event;
  } else {
    changes.insert(not_before, event);
  }
}

}  // namespace

void RunRecorder::on_event(const Event& event) {
  std::visit(
      [&](const auto& happened) {
        if constexpr (requires { take(happened, record_); }) {
          if (happened.run == record_.id) {
            take(happened, record_);
          }
        }
      },
      event);
}

RecordedRun RunRecorder::record() const {
  RecordedRun record = record_;
  for (auto& [name, series] : record.metrics) {
    drop_early_twins(series);
  }
  return record;
}

}  // namespace lathe::experiments
