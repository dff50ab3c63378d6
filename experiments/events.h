// The whole protocol between those who run and those who watch: commands in, events out, plain
// data.
#pragma once

#include <array>
#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <variant>
#include <vector>

#include "engine/base/json.h"
#include "engine/base/result.h"
#include "engine/tensor/ledger.h"
#include "engine/train/palette_view.h"
#include "experiments/model_events.h"

namespace lathe::experiments {

// Ten lower-case base-32 characters from time and random bits; never reused.
using RunId = std::string;
using SweepId = std::string;

enum class RunState : std::uint8_t {
  kQueued,
  kRunning,
  kPaused,
  kDone,
  kFailed,
  kStopped,
  kInterrupted,
  kExcluded
};
inline constexpr std::array<std::string_view, 8> kRunStateNames{
    "queued", "running", "paused", "done", "failed", "stopped", "interrupted", "excluded"};

struct MetricPoint {
  std::string metric;  // id of a MetricDef
  std::int64_t step = 0;
  double value = 0;
  std::int64_t time_ms = 0;  // Unix time
};

// One point of a sweep as it is planned.
struct PlannedPoint {
  std::int64_t index = 0;
  RunId run;          // reserved at planning, so that a plan and its execution agree
  std::string label;  // "r16-s0"
  Json spec;          // canonical
  std::int64_t predicted_peak_bytes = 0;
  std::int64_t predicted_params = 0;
  std::int64_t predicted_stored_bytes = 0;
  double predicted_flops_per_step = 0;
  std::string excluded_because;  // empty: will run
};

struct SweepCreated {
  SweepId sweep;
  std::string name;
  Json spec;
  std::vector<PlannedPoint> points;
};
struct RunCreated {
  RunId run;
  SweepId sweep;
  std::int64_t point = -1;
  std::string name;
  Json spec;
  std::int64_t predicted_peak_bytes = 0;
  RunId parent;
  std::string kind;                       // train | replay
  CategoryBytes predicted_by_category{};  // at the predicted peak
};
struct RunStarted {
  RunId run;
  std::int64_t attempt = 1;
  std::int64_t from_step = 0;
  std::int64_t total_steps = 0;
  Json environment;
  std::string data_digest;
};
struct MetricBatch {
  RunId run;
  std::vector<MetricPoint> points;
};
// Three curves that differ: the ledger's sum, the allocator's reserve, and what the device has in
// use by all programs, where there is one and it tells.
struct MemorySample {
  RunId run;
  std::int64_t step = 0;
  std::int64_t time_ms = 0;
  LedgerSnapshot live;
  LedgerSnapshot peak;
  std::int64_t pool_bytes = 0;
  std::int64_t process_bytes = 0;
  std::optional<std::int64_t> device_used_bytes = std::nullopt;
};
// The ledger's time line of one representative step, and what was alive at its peak.
struct MemoryProfile {
  RunId run;
  std::int64_t step = 0;
  std::vector<LedgerEvent> time_line;
  std::vector<Tag> tags;
  std::vector<LayerBytes> peak_by_layer;
  LedgerSnapshot peak;
  std::string peak_phase;
};
// The palettes of a run with DKM, where it is evaluated and before its first step.
struct PaletteSnapshot {
  RunId run;
  std::int64_t step = 0;
  std::shared_ptr<const std::vector<PaletteView>> palettes;  // never null
};
struct CheckpointSaved {
  RunId run;
  std::int64_t step = 0;
  std::string path;
  std::int64_t bytes = 0;
};
// An older checkpoint made room for newer ones.
struct CheckpointRemoved {
  RunId run;
  std::int64_t step = 0;
};
struct DigestTaken {
  RunId run;
  std::int64_t step = 0;
  std::string digest;
};
struct LiveChanged {
  RunId run;
  std::int64_t step = 0;
  std::string param;
  double value = 0;
};
struct RunPaused {
  RunId run;
  std::int64_t step = 0;
};
struct RunResumed {
  RunId run;
  std::int64_t step = 0;
};
struct RunFinished {
  RunId run;
  RunState state = RunState::kDone;
  std::int64_t step = 0;
};
struct RunFailed {
  RunId run;
  std::int64_t step = 0;
  Error error;
};
struct SweepFinished {
  SweepId sweep;
  std::int64_t done = 0;
  std::int64_t failed = 0;
  std::int64_t excluded = 0;
  bool stopped = false;
};
struct ReplayVerdict {
  RunId original;
  RunId replay;
  std::string verdict;
  std::int64_t first_difference = -1;
  std::string detail;
};
enum class LogLevel : std::uint8_t { kInfo, kWarning, kError };
struct LogLine {
  RunId run;
  LogLevel level = LogLevel::kInfo;
  std::string text;
  std::int64_t time_ms = 0;
};
// What is being prepared before a step exists: "tokenizing 31 %".
struct Preparing {
  RunId run;
  double share = 0;
  std::string what;
};

using Event =
    std::variant<SweepCreated, RunCreated, RunStarted, MetricBatch, MemorySample, MemoryProfile,
                 PaletteSnapshot, CheckpointSaved, CheckpointRemoved, DigestTaken, LiveChanged,
                 RunPaused, RunResumed, RunFinished, RunFailed, SweepFinished, ReplayVerdict,
                 LogLine, Preparing, ModelOpened, ModelDecomposed, QuantProbed, JobStarted,
                 JobProgress, TextPiece, JobFinished, JobFailed>;

// What a watcher may ask for. Answers come as events.
struct StartRun {
  Json spec;
};
struct StartSweep {
  Json sweep;
};  // a SweepSpec document, see sweep.h
struct PauseRun {};
struct ResumeRun {};  // continues after a pause
struct StopRun {};    // checkpoint, end this run
struct StopAll {};    // checkpoint, end the sweep
struct ContinueStored {
  std::string id;
};  // a run or sweep of the store: resume
struct RetryFailed {
  SweepId sweep;
};
struct ReplayStored {
  RunId run;
  bool verify = true;
};
struct SetLive {
  std::string param;
  double value = 0;
};

using Command =
    std::variant<StartRun, StartSweep, PauseRun, ResumeRun, StopRun, StopAll, ContinueStored,
                 RetryFailed, ReplayStored, SetLive, OpenModel, EvaluateModel, Generate,
                 ExportModel, DecomposeModel, ProbeQuant, CompressModel, CancelJob>;

// Consumer of events. on_event is called from the engine's threads; an implementation either blocks
// until the event is safe (the store) or drops what it cannot take (the live view), and says which.
class EventSink {
 public:
  virtual ~EventSink() = default;
  virtual void on_event(const Event& event) = 0;
};

// Source of commands for whoever runs.
class CommandSink {
 public:
  virtual ~CommandSink() = default;
  virtual void send(Command command) = 0;
};

}  // namespace lathe::experiments
