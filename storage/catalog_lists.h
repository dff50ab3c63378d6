// Lists and details of the catalogue: rows of the small tables, never of points.
#pragma once

#include <map>
#include <string_view>
#include <vector>

#include "storage/run_catalog.h"
#include "storage/sqlite/connection.h"

namespace lathe::storage {

// Which runs to read: those with a revision above `revision`, of this key (0: any).
struct RunFilter {
  bool with_trashed = false;
  std::int64_t revision = -1;
  std::int64_t key = 0;
};

// Newest first.
std::vector<RunSummary> read_runs(Connection& connection, const RunFilter& filter);
std::vector<SweepSummary> read_sweeps(Connection& connection);
std::vector<experiments::PlannedPoint> read_sweep_points(Connection& connection,
                                                         const SweepId& sweep);
RunDetail read_run_detail(Connection& connection, std::int64_t run);

// The key of the one row of `table` (runs or sweeps) whose id is `wanted`, whose id alone begins
// with it, or whose name alone is `wanted`. Throws kUsage for none or several.
std::int64_t find_key(Connection& connection, std::string_view table, std::string_view wanted);

// Throws kStore where a stored document is no JSON.
Json stored_json(Connection& connection, const std::string& text);

}  // namespace lathe::storage
