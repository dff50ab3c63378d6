// What the window knows of the work of this process: plain data, published as a constant snapshot
// that panels draw from. Parts that did not change are shared between snapshots.
#pragma once

#include <cstdint>
#include <map>
#include <memory>
#include <string>
#include <vector>

#include "experiments/events.h"
#include "ui/model/models_state.h"
#include "ui/model/series.h"

namespace lathe::ui {

using experiments::RunId;
using experiments::RunState;
using experiments::SweepId;

struct LiveRun {
  RunId id;
  SweepId sweep;
  std::int64_t point = -1;
  std::string name;
  std::string kind;  // train | replay
  RunState state = RunState::kQueued;
  std::int64_t step = 0;
  std::int64_t total_steps = 0;
  std::int64_t started_ms = 0;
  std::int64_t from_step = 0;  // of the current attempt
  std::int64_t predicted_peak_bytes = 0;
  std::int64_t peak_bytes = 0;
  std::string error;   // why it failed, or why it is excluded
  std::string remedy;  // what to do about it
  std::shared_ptr<const Json> spec;
  std::map<std::string, std::shared_ptr<const Series>> series;  // metric -> points
  std::shared_ptr<const std::vector<experiments::MemorySample>> memory;
  std::shared_ptr<const std::vector<experiments::PaletteSnapshot>> palettes;  // null: none yet
  std::vector<std::int64_t> checkpoint_steps;
  std::vector<experiments::LiveChanged> changes;
  std::string verdict;  // of a replay
};

struct LiveSweep {
  SweepId id;
  std::string name;
  std::vector<experiments::PlannedPoint> points;
  std::int64_t started_ms = 0;
  bool finished = false;
  bool stopped = false;
  std::int64_t done = 0;
  std::int64_t failed = 0;
  std::int64_t excluded = 0;
};

struct LogEntry {
  std::int64_t time_ms = 0;
  experiments::LogLevel level = experiments::LogLevel::kInfo;
  RunId run;
  std::string text;
};

// A warning or error with how often it came: never a growing wall of red.
struct Problem {
  LogEntry entry;
  std::int64_t count = 1;
};

struct LiveState {
  std::uint64_t revision = 0;
  std::vector<std::shared_ptr<const LiveRun>> runs;  // in order of creation
  std::shared_ptr<const LiveSweep> sweep;            // the latest; null before the first
  std::shared_ptr<const std::vector<LogEntry>> log;  // oldest first
  std::shared_ptr<const std::vector<Problem>> problems;
  std::shared_ptr<const ModelsState> models;  // never null
  RunId active;           // the run that trains, waits or is prepared; empty: nothing
  std::string preparing;  // "tokenizing", empty once steps come
  double preparing_share = 0;
  bool paused = false;
  bool busy = false;         // something runs or is about to
  double eta_secs = -1;      // of everything that is queued; -1 unknown
  double observer_pct = -1;  // cost of watching; -1 unknown
  double tokens_per_s = -1;  // of the active run

  const LiveRun* find(const RunId& run) const;
};

}  // namespace lathe::ui
