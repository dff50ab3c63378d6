// Names of runs and sweeps that no two processes give twice.
#pragma once

#include <string>

namespace lathe::experiments {

// Ten lower-case base-32 characters (Crockford's alphabet: no i, l, o, u) from the time and random
// bits, scrambled so that short prefixes tell ids apart. Unique within a process for certain,
// across processes up to one chance in a million per second they share. Thread-safe.
std::string new_id();

}  // namespace lathe::experiments
