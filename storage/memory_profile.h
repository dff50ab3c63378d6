// The memory profile of one step as a row: the time line as columns, the small parts as JSON.
#pragma once

#include <cstdint>

#include "experiments/events.h"
#include "storage/sqlite/connection.h"

namespace lathe::storage {

void store_memory_profile(Connection& connection, std::int64_t run,
                          const experiments::MemoryProfile& profile);

// Throws kUsage if the run has none, kStore if it is damaged.
experiments::MemoryProfile load_memory_profile(Connection& connection, std::int64_t run);

}  // namespace lathe::storage
