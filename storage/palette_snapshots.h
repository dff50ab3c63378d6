// Snapshots of palettes as rows, one for each step that has one: figures as JSON, histograms and
// centroids as columns.
#pragma once

#include <cstdint>
#include <vector>

#include "experiments/events.h"
#include "storage/sqlite/connection.h"

namespace lathe::storage {

// Replaces what the run has of that step.
void store_palette_snapshot(Connection& connection, std::int64_t run,
                            const experiments::PaletteSnapshot& snapshot);

// Those after a step, in order. Throws kStore if one is damaged.
std::vector<experiments::PaletteSnapshot> load_palette_snapshots(Connection& connection,
                                                                 std::int64_t run,
                                                                 std::int64_t after_step);

}  // namespace lathe::storage
