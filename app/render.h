// Records of the store as JSON and as table cells: one place for what every verb prints of a run.
#pragma once

#include <map>
#include <string>
#include <vector>

#include "app/table.h"
#include "engine/base/json.h"
#include "storage/run_catalog.h"

namespace lathe::app {

Json to_json(const storage::RunSummary& run);
Json to_json(const storage::SweepSummary& sweep);
Json to_json(const storage::RunDetail& detail);

// The runs as a table: id, name, state, step, held-out loss and perplexity, parameters, peak,
// speed.
std::string runs_table(const std::vector<storage::RunSummary>& runs);
std::string sweeps_table(const std::vector<storage::SweepSummary>& sweeps);

// A metric's last value as text, "-" where it was not measured.
std::string metric_text(const std::map<std::string, double>& values, const std::string& metric);

}  // namespace lathe::app
