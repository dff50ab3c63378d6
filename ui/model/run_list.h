// The runs that can be chosen: those of the store and those of this process as one list of rows,
// with the numbers that the table shows, sorts by and filters on.
#pragma once

#include <cstdint>
#include <map>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "ui/model/live_state.h"
#include "ui/model/store_desk.h"

namespace lathe::ui {

struct RunRow {
  RunId id;
  std::string name;
  SweepId sweep;
  std::string sweep_name;
  std::int64_t point = -1;
  RunState state = RunState::kQueued;
  std::string kind;
  std::int64_t step = 0;
  std::int64_t total_steps = 0;
  std::int64_t created_ms = 0;
  std::int64_t peak_bytes = 0;
  std::int64_t predicted_peak_bytes = 0;
  std::map<std::string, double> last;  // metric -> last value
  std::vector<std::string> tags;
  std::string note;
  std::string error;
  std::string remedy;
  bool trashed = false;
  bool live = false;                 // known to the engine of this process
  std::shared_ptr<const Json> spec;  // null until read

  double progress() const {
    return total_steps > 0 ? static_cast<double>(step) / static_cast<double>(total_steps) : 0;
  }
};

// The store's runs (newest first) with what the live view knows better, then runs that the store
// does not have yet. Runs that only a plan knows (excluded ones) are left out.
std::vector<RunRow> merge_runs(const StoreSnapshot& store, const LiveState& live);

// A number of a row by the name of a metric ("eval/loss"), a column ("peak", "params", "step",
// "created", "progress") or a parameter ("rank", "model.dim"); NaN if it has none.
double number_of(const RunRow& row, std::string_view key);
// The same as text, also for names, states, tags and choices.
std::string text_of(const RunRow& row, std::string_view key);

// Stable sort; rows without the number go last in both directions.
void sort_rows(std::vector<const RunRow*>& rows, std::string_view key, bool descending);

// Paths of the parameters that are not equal in all rows, in canonical order.
std::vector<std::string> varying_params(const std::vector<const RunRow*>& rows,
                                        std::size_t at_most);

// Which colour of the palette a run has, in every panel and for ever: by its place in its sweep.
std::size_t color_index(const RunRow& row, std::size_t palette_size);

// The points of a run's metric, from the live view or the store; null if there are none yet.
std::shared_ptr<const Series> series_of(const StoreSnapshot& store, const LiveState& live,
                                        const RunId& run, const std::string& metric);
std::shared_ptr<const std::vector<experiments::MemorySample>> memory_of(const StoreSnapshot& store,
                                                                        const LiveState& live,
                                                                        const RunId& run);
std::shared_ptr<const std::vector<experiments::PaletteSnapshot>> palettes_of(
    const StoreSnapshot& store, const LiveState& live, const RunId& run);

}  // namespace lathe::ui
