// Replay: what a record says about a run, the spec that repeats it, and the comparison of the two
// point by point. The record is a plain value, so nothing here knows where runs are stored.
#pragma once

#include <cstdint>
#include <map>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "engine/base/json.h"
#include "engine/base/result.h"
#include "experiments/events.h"
#include "experiments/run_spec.h"

namespace lathe::experiments {

// Step and value, ascending by step.
using MetricSeries = std::vector<std::pair<std::int64_t, double>>;

// What decided a run, and what bears witness to it.
struct RecordedRun {
  RunId id;
  Json spec;                      // canonical
  std::int64_t last_step = 0;     // the last one recorded
  std::string data_digest;        // of tokens and tokenizer
  std::vector<Json> environment;  // of each attempt, oldest first
  std::vector<LiveChanged> live_changes;
  std::map<std::int64_t, std::string> digests;  // step -> digest of all parameters
  std::map<std::string, MetricSeries> metrics;
};

// Makes the record of one run out of its events, as the store would. Not thread-safe.
class RunRecorder : public EventSink {
 public:
  explicit RunRecorder(RunId run) { record_.id = std::move(run); }
  void on_event(const Event& event) override;
  // The record so far. Where a step was recorded twice (a run that was killed and resumed), the
  // later value counts.
  RecordedRun record() const;

 private:
  RecordedRun record_;
};

inline constexpr std::string_view kExact = "exact";
inline constexpr std::string_view kWithinTolerance = "within tolerance";
inline constexpr std::string_view kDiverged = "diverged";
inline constexpr std::string_view kNotComparable = "not comparable";

// Environment keys that a replay repeats: the back end and its thread count decide the bits.
inline constexpr std::string_view kEnvironmentBackend = "backend";
inline constexpr std::string_view kEnvironmentThreads = "threads";

// The spec that repeats the run: the recorded one, with the back end and the thread count that
// `auto` and 0 meant on the recording machine. kUsage if this build cannot read the spec.
Result<RunSpec> spec_to_replay(const RecordedRun& original);

struct CompareOptions {
  std::int64_t to_step = 0;  // compare up to this step; 0: to the end of the record
  // Largest relative gap that still counts as the same result where the environment differs. On the
  // same environment only equal bits do.
  double tolerance = 1e-2;
};

// Compares every deterministic metric bit for bit, and every digest, in the order of the steps. The
// verdict names the first step that differs and, in `detail`, the metric, both values and what
// differs in the environment.
ReplayVerdict compare_runs(const RecordedRun& original, const RecordedRun& replay,
                           const CompareOptions& options);

// "cpu: A -> B" for each key of the environment that differs, sorted by key.
std::vector<SpecDifference> environment_differences(const Json& a, const Json& b);

}  // namespace lathe::experiments
