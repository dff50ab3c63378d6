// A step's time line: where its peak is, what was there before it, and the whole in the JSON of
// Chrome's trace viewer, which Perfetto opens, too.
#pragma once

#include <string>

#include "experiments/events.h"

namespace lathe::experiments {

// The place of the first event after which most is alive; 0 without any.
std::size_t peak_event(const MemoryProfile& profile);

// By category before the first event: what is alive at the peak, less what came until then.
CategoryBytes bytes_before(const MemoryProfile& profile);

// Bytes by category as counters, and each tensor as long as it is alive under its layer's name; an
// allocation is a microsecond, for the ledger tells order, not time. Bytes at the beginning are
// those that were there before the step.
std::string memory_trace(const MemoryProfile& profile);

}  // namespace lathe::experiments
