// The three curves of memory: the ledger's sum, the allocator's reserve, and what the device has in
// use by all programs. They differ, and are drawn as three.
#pragma once

#include <cstdint>
#include <span>
#include <string_view>
#include <vector>

#include "experiments/events.h"
#include "ui/model/ui_state.h"

namespace lathe::ui {

inline constexpr std::size_t kMemoryCurves = 3;

struct MemoryCurve {
  std::string_view name;
  std::size_t kind = 0;       // 0 ledger, 1 reserve, 2 device: its colour
  std::vector<double> bytes;  // per sample, NaN where it was not told
};

// The ledger's snapshot that a view shows.
const LedgerSnapshot& snapshot_of(const experiments::MemorySample& sample, MemoryView view);

// At most `most` samples, in order; of each group the one with the highest peak.
std::vector<experiments::MemorySample> thinned(std::span<const experiments::MemorySample> samples,
                                               std::size_t most);

// Without those that no sample tells: a processor's memory has no device.
std::vector<MemoryCurve> memory_curves(std::span<const experiments::MemorySample> samples,
                                       MemoryView view);

// The highest number of any curve and of any peak; 1 where there is none.
std::int64_t highest_bytes(std::span<const experiments::MemorySample> samples);

}  // namespace lathe::ui
