// See stored_work.h.
#include "app/stored_work.h"

#include <fmt/core.h>

#include <algorithm>
#include <filesystem>
#include <map>

#include "experiments/metrics.h"

namespace lathe::app {
namespace {

using namespace experiments;
using storage::RunCatalog;
using storage::RunDetail;
using storage::RunSummary;

bool goes_on_elsewhere(RunState state) {
  return state == RunState::kRunning || state == RunState::kPaused;
}

std::vector<LiveChanged> live_changes(const RunDetail& detail) {
  std::vector<LiveChanged> changes;
  for (const storage::LiveChangeRow& row : detail.live_changes) {
    changes.push_back({detail.summary.id, row.step, row.param, row.value});
  }
  return changes;
}

// The record's facts that decide its spec's bits.
RecordedRun head_of(const RunDetail& detail) {
  RecordedRun record;
  record.id = detail.summary.id;
  record.spec = detail.spec;
  record.last_step = detail.summary.step;
  for (const storage::AttemptRow& attempt : detail.attempts) {
    record.environment.push_back(attempt.environment);
    record.data_digest = attempt.data_digest;
  }
  record.live_changes = live_changes(detail);
  for (const storage::DigestRow& row : detail.digests) {
    record.digests[row.step] = row.digest;
  }
  return record;
}

// The newest checkpoint that is still there, or the one of `from_step`.
Result<void> choose_checkpoint(const RunDetail& detail, std::optional<std::int64_t> from_step,
                               RunRequest& request) {
  std::string known;
  for (const storage::CheckpointRow& row : detail.checkpoints) {
    const bool wanted = !from_step || *from_step == row.step;
    if (wanted && row.step >= request.from_step && std::filesystem::exists(row.path)) {
      request.checkpoint = row.path;
      request.from_step = row.step;
    }
    known += fmt::format("{}{}", known.empty() ? "" : ", ", row.step);
  }
  if (from_step.value_or(0) > 0 && request.checkpoint.empty()) {
    return Error{ErrorKind::kUsage,
                 fmt::format("run {} has no checkpoint of step {}", detail.summary.id, *from_step),
                 known.empty() ? "it has none at all; --from 0 begins anew"
                               : fmt::format("it has: {}; --from 0 begins anew", known)};
  }
  return {};
}

Result<void> check_is_training(const RunSummary& summary) {
  if (summary.kind == "eval" || summary.kind == "compress") {
    const bool eval = summary.kind == "eval";
    return Error{
        ErrorKind::kUsage,
        fmt::format("{} is {}: it has no steps", summary.id,
                    eval ? "an evaluation" : "a decomposition"),
        fmt::format("`lathe show` has its settings, `lathe {}` does it again", summary.kind)};
  }
  return {};
}

Result<RunRequest> request_for(const RunDetail& detail, std::optional<std::int64_t> from_step) {
  const RunSummary& summary = detail.summary;
  if (const Result<void> training = check_is_training(summary); !training) {
    return training.error();
  }
  if (summary.kind != "train") {
    return Error{ErrorKind::kUsage, fmt::format("{} is a {}", summary.id, summary.kind),
                 fmt::format("`lathe replay {} --verify` runs it anew", summary.parent)};
  }
  if (goes_on_elsewhere(summary.state)) {
    return Error{ErrorKind::kUsage,
                 fmt::format("run {} is going on in another process", summary.id),
                 "end that process first (Ctrl-C saves its state)"};
  }
  auto spec = spec_to_replay(head_of(detail));
  if (!spec) {
    return spec.error();
  }
  RunRequest request;
  request.run = summary.id;
  request.spec = std::move(*spec);
  request.sweep = summary.sweep;
  request.point = summary.point;
  request.live_changes = live_changes(detail);
  for (const storage::AttemptRow& attempt : detail.attempts) {
    request.attempt = std::max(request.attempt, attempt.attempt + 1);
  }
  if (const Result<void> chosen = choose_checkpoint(detail, from_step, request); !chosen) {
    return chosen.error();
  }
  return request;
}

Result<std::map<RunId, RunSummary>> runs_by_id(RunCatalog& catalog) {
  auto runs = catalog.runs(true);
  if (!runs) {
    return runs.error();
  }
  std::map<RunId, RunSummary> by_id;
  for (RunSummary& run : *runs) {
    const RunId id = run.id;
    by_id.emplace(id, std::move(run));
  }
  return by_id;
}

Result<RunRequest> fresh_request(const SweepId& sweep, const PlannedPoint& point) {
  auto spec = run_spec_from_json(point.spec);
  if (!spec) {
    return spec.error();
  }
  RunRequest request;
  request.run = point.run;
  request.spec = std::move(*spec);
  request.sweep = sweep;
  request.point = point.index;
  return request;
}

// Adds the point to the work, or counts it as settled. `retries`: failed points are the ones
// wanted.
Result<void> add_point(RunCatalog& catalog, const PlannedPoint& point,
                       const std::map<RunId, RunSummary>& runs, bool retries, SweepWork& work) {
  if (!point.excluded_because.empty()) {
    ++work.excluded;
    return {};
  }
  const auto found = runs.find(point.run);
  if (found == runs.end()) {
    if (!retries) {
      auto request = fresh_request(work.sweep, point);
      if (!request) {
        return request.error();
      }
      work.runs.push_back(std::move(*request));
    }
    return {};
  }
  const RunState state = found->second.state;
  const bool failed = state == RunState::kFailed;
  work.done += state == RunState::kDone ? 1 : 0;
  work.failed += failed && !retries ? 1 : 0;
  if (state == RunState::kDone || goes_on_elsewhere(state) || failed != retries) {
    return {};
  }
  const auto detail = catalog.run(point.run);
  if (!detail) {
    return detail.error();
  }
  auto request = request_for(*detail, std::nullopt);
  if (!request) {
    return request.error();
  }
  work.runs.push_back(std::move(*request));
  return {};
}

Result<SweepWork> sweep_work(RunCatalog& catalog, const storage::SweepSummary& sweep,
                             bool retries) {
  if (sweep.state == "running") {
    return Error{ErrorKind::kUsage,
                 fmt::format("sweep {} is going on in another process", sweep.id),
                 "end that process first (Ctrl-C saves its state)"};
  }
  const auto points = catalog.sweep_points(sweep.id);
  if (!points) {
    return points.error();
  }
  const auto runs = runs_by_id(catalog);
  if (!runs) {
    return runs.error();
  }
  SweepWork work;
  work.sweep = sweep.id;
  for (const PlannedPoint& point : *points) {
    if (const auto added = add_point(catalog, point, *runs, retries, work); !added) {
      return added.error();
    }
  }
  return work;
}

}  // namespace

Result<StoredWork> work_to_continue(RunCatalog& catalog, std::string_view id,
                                    std::optional<std::int64_t> from_step) {
  const auto detail = catalog.run(id);
  if (detail) {
    if (detail->summary.state == RunState::kDone) {
      return StoredWork{};
    }
    auto request = request_for(*detail, from_step);
    return request ? Result<StoredWork>(StoredWork{std::move(*request), std::nullopt})
                   : request.error();
  }
  const auto sweep = catalog.sweep(id);
  if (!sweep) {
    return detail.error();
  }
  auto work = sweep_work(catalog, *sweep, false);
  if (!work) {
    return work.error();
  }
  return work->runs.empty() ? StoredWork{} : StoredWork{std::nullopt, std::move(*work)};
}

Result<SweepWork> work_to_retry(RunCatalog& catalog, std::string_view id) {
  const auto sweep = catalog.sweep(id);
  return sweep ? sweep_work(catalog, *sweep, true) : sweep.error();
}

Result<RecordedRun> recorded_run(RunCatalog& catalog, std::string_view id) {
  const auto detail = catalog.run(id);
  if (!detail) {
    return detail.error();
  }
  if (const Result<void> training = check_is_training(detail->summary); !training) {
    return training.error();
  }
  RecordedRun record = head_of(*detail);
  for (const std::string& metric : detail->metrics) {
    const auto points = catalog.points(record.id, metric);
    if (!points) {
      return points.error();
    }
    MetricSeries& series = record.metrics[metric];
    for (const MetricPoint& point : *points) {
      series.emplace_back(point.step, point.value);
    }
  }
  return record;
}

}  // namespace lathe::app
