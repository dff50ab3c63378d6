// Palettes of a run as the engine would tell the window of them.
#pragma once

#include <cstdint>
#include <vector>

#include "experiments/events.h"

namespace lathe::ui::testing {

// Seven matrices a block in 3 bits, whose weights gather at their centroids as `progress` goes from
// 0 to 1. The first has 8 palettes; the second hardly uses two centroids.
std::vector<PaletteView> some_palettes(std::int64_t blocks, double progress);
// Snapshots of a run every so many steps, with what it records of them, into a sink.
void tell_palettes(experiments::EventSink& sink, const experiments::RunId& run, std::int64_t blocks,
                   std::int64_t steps, std::int64_t every);

}  // namespace lathe::ui::testing
