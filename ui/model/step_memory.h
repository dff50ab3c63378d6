// What the Memory panel shows of a step that was recorded, without ImGui: bytes by category as they
// come and go, what is alive at the peak, areas in proportion to it, and two runs side by side.
#pragma once

#include <array>
#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "experiments/events.h"

namespace lathe::ui {

// Bytes of each category, at as many places.
using CategorySeries = std::array<std::vector<double>, kCategoryCount>;

// The time line in columns, each with the instant of it at which most was alive.
struct StepMemory {
  std::vector<double> event;  // its number, from 0
  CategorySeries bytes;       // at each
  std::int64_t events = 0;    // of the whole step
  std::int64_t peak_event = 0;
  std::int64_t peak_bytes = 0;
};

// At most `columns` of them; the peak is always one.
StepMemory step_memory(const experiments::MemoryProfile& profile, std::size_t columns);

// A tensor that is alive at the peak, or all of that name in the blocks of the model.
struct AliveTensor {
  std::string layer;  // "layers.*.mlp.down"
  std::string name;   // "up"; "" of what was there before the step
  Category category = Category::kWorkspace;
  std::int64_t count = 0;
  std::int64_t bytes = 0;  // of all
};

// The largest first.
std::vector<AliveTensor> alive_at_peak(const experiments::MemoryProfile& profile);

// "layers.*.mlp.down" of "layers.3.mlp.down".
std::string block_pattern(const std::string& layer);

struct Area {
  double x = 0, y = 0, width = 0, height = 0;
};

// Rectangles that fill `whole` in proportion to `sizes`, which are positive and descend (Bruls,
// Huizing and van Wijk 2000, squarified treemaps).
std::vector<Area> treemap(const std::vector<double>& sizes, const Area& whole);

// What is alive at the peak of one block, or of a part beside them ("embedding").
struct PartMemory {
  std::string part;
  std::int64_t bytes = 0;
  std::vector<LayerBytes> by_category;  // descending; `layer` is the part
};
// The largest first.
std::vector<PartMemory> parts_at_peak(const experiments::MemoryProfile& profile);

// A category's bytes at the peak as planned, as they were, and in another run.
struct PeakRow {
  std::string_view name;  // "all" of the last
  std::int64_t planned = 0;
  std::int64_t actual = 0;
  std::int64_t other = 0;
};
// Of categories that any of them has; `other` may be null.
std::vector<PeakRow> peak_rows(const LedgerSnapshot& planned, const LedgerSnapshot& actual,
                               const LedgerSnapshot* other);
// "+1.5 MiB" of what is more than the other, "same" of the same.
std::string change_of_bytes(std::int64_t bytes, std::int64_t other);

// All of it, worked out once for a profile, off the thread that draws.
struct StepScene {
  std::int64_t step = 0;
  std::string peak_phase;
  StepMemory memory;
  std::vector<AliveTensor> alive;
  std::vector<PartMemory> parts;
};
StepScene step_scene(const experiments::MemoryProfile& profile);

}  // namespace lathe::ui
