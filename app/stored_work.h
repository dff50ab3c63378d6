// What the store knows about a run or sweep, as work that can be run: to go on, to run failed
// points again, to replay.
#pragma once

#include <optional>
#include <string_view>

#include "experiments/session.h"
#include "storage/run_catalog.h"

namespace lathe::app {

// What `id` (of a run or a sweep) still wants; neither if it is done. `from_step` picks an older
// checkpoint, 0 the beginning; by default the newest one that is still there. kUsage if the run is
// going on in another process, is a replay, or has no such checkpoint.
Result<experiments::StoredWork> work_to_continue(storage::RunCatalog& catalog, std::string_view id,
                                                 std::optional<std::int64_t> from_step = {});

// The failed points of a sweep, each going on from its newest checkpoint; none if none failed.
Result<experiments::SweepWork> work_to_retry(storage::RunCatalog& catalog, std::string_view id);

// All that replay compares.
Result<experiments::RecordedRun> recorded_run(storage::RunCatalog& catalog, std::string_view id);

}  // namespace lathe::app
