// Sums over a step's time line.
#include "ui/model/step_memory.h"

#include <fmt/format.h>

#include <algorithm>
#include <cstdlib>
#include <map>
#include <tuple>
#include <unordered_map>

#include "engine/base/format.h"
#include "experiments/memory_trace.h"

namespace lathe::ui {

namespace {

using experiments::MemoryProfile;

std::size_t index_of(Category category) {
  return static_cast<std::size_t>(category);
}

using LayerKey = std::pair<std::string, Category>;

// The last column of a row of a treemap is as long as what is left.
class Squarifier {
 public:
  Squarifier(const std::vector<double>& sizes, const Area& whole) : sizes_(sizes), free_(whole) {
    double sum = 0;
    for (const double size : sizes) {
      sum += size;
    }
    scale_ = sum > 0 ? whole.width * whole.height / sum : 0;
  }

  std::vector<Area> areas() {
    std::size_t first = 0;
    while (first < sizes_.size()) {
      std::size_t end = first + 1;
      while (end < sizes_.size() && worst(first, end + 1) <= worst(first, end)) {
        ++end;
      }
      lay(first, end);
      first = end;
    }
    return std::move(areas_);
  }

 private:
  double area(std::size_t first, std::size_t end) const {
    double sum = 0;
    for (std::size_t i = first; i < end; ++i) {
      sum += sizes_[i] * scale_;
    }
    return sum;
  }
  double shorter() const { return std::min(free_.width, free_.height); }

  // The greatest ratio of sides in a row of these.
  double worst(std::size_t first, std::size_t end) const {
    const double sum = area(first, end);
    const double side = shorter() * shorter();
    const double largest = sizes_[first] * scale_;
    const double smallest = sizes_[end - 1] * scale_;
    return std::max(side * largest / (sum * sum), sum * sum / (side * smallest));
  }

  // A row along the shorter side of what is free.
  void lay(std::size_t first, std::size_t end) {
    const bool across = free_.width >= free_.height;
    const double length = across ? free_.height : free_.width;
    const double depth = length > 0 ? area(first, end) / length : 0;
    double at = 0;
    for (std::size_t i = first; i < end; ++i) {
      const double extent = depth > 0 ? sizes_[i] * scale_ / depth : 0;
      areas_.push_back(across ? Area{free_.x, free_.y + at, depth, extent}
                              : Area{free_.x + at, free_.y, extent, depth});
      at += extent;
    }
    if (across) {
      free_.x += depth;
      free_.width -= depth;
    } else {
      free_.y += depth;
      free_.height -= depth;
    }
  }

  const std::vector<double>& sizes_;
  Area free_;
  double scale_ = 0;
  std::vector<Area> areas_;
};

// "layers.3" of what is in a block, else the first word.
std::string part_of(const std::string& layer) {
  const std::size_t first = layer.find('.');
  if (layer.rfind("layers.", 0) != 0 || first == std::string::npos) {
    return layer.substr(0, first);
  }
  return layer.substr(0, layer.find('.', first + 1));
}

}  // namespace

StepMemory step_memory(const MemoryProfile& profile, std::size_t columns) {
  StepMemory step;
  const std::size_t count = profile.time_line.size();
  step.events = static_cast<std::int64_t>(count);
  if (count == 0 || columns == 0) {
    return step;
  }
  const std::size_t peak = experiments::peak_event(profile);
  step.peak_event = static_cast<std::int64_t>(peak);
  step.peak_bytes = profile.time_line[peak].live_bytes;
  CategoryBytes now = experiments::bytes_before(profile);
  CategoryBytes highest{};
  std::int64_t highest_live = -1;
  std::size_t highest_event = 0;
  for (std::size_t i = 0; i < count; ++i) {
    const LedgerEvent& event = profile.time_line[i];
    now[index_of(event.category)] += event.bytes;
    if (event.live_bytes > highest_live) {
      highest_live = event.live_bytes;
      highest_event = i;
      highest = now;
    }
    const bool last_of_column = i + 1 == count || (i + 1) * columns / count != i * columns / count;
    if (last_of_column) {
      step.event.push_back(static_cast<double>(highest_event));
      for (std::size_t c = 0; c < highest.size(); ++c) {
        step.bytes[c].push_back(static_cast<double>(highest[c]));
      }
      highest_live = -1;
    }
  }
  return step;
}

std::string block_pattern(const std::string& layer) {
  constexpr std::string_view kBlocks = "layers.";
  if (layer.rfind(kBlocks, 0) != 0) {
    return layer;
  }
  const std::size_t end = layer.find_first_not_of("0123456789", kBlocks.size());
  return "layers.*" + (end == std::string::npos ? std::string() : layer.substr(end));
}

std::vector<AliveTensor> alive_at_peak(const MemoryProfile& profile) {
  std::map<LayerKey, std::int64_t> before;  // the step
  for (const LayerBytes& layer : profile.peak_by_layer) {
    before[{layer.layer, layer.category}] += layer.bytes;
  }
  std::unordered_map<std::uint64_t, const LedgerEvent*> alive;
  const std::size_t peak = experiments::peak_event(profile);
  for (std::size_t i = 0; i < profile.time_line.size() && i <= peak; ++i) {
    const LedgerEvent& event = profile.time_line[i];
    if (event.bytes > 0) {
      alive[event.block] = &event;
    } else {
      alive.erase(event.block);
    }
  }
  std::map<std::tuple<std::string, std::string, Category>, AliveTensor> grouped;
  const auto add = [&](const std::string& layer, const std::string& name, Category category,
                       std::int64_t bytes) {
    const std::string pattern = block_pattern(layer);
    AliveTensor& tensor = grouped[{pattern, name, category}];
    tensor.layer = pattern;
    tensor.name = name;
    tensor.category = category;
    tensor.count += 1;
    tensor.bytes += bytes;
  };
  for (const auto& [block, event] : alive) {
    const bool named =
        event->tag >= 0 && static_cast<std::size_t>(event->tag) < profile.tags.size();
    const Tag tag = named ? profile.tags[static_cast<std::size_t>(event->tag)] : Tag{};
    add(tag.layer, tag.name, event->category, event->bytes);
    before[{tag.layer, event->category}] -= event->bytes;
  }
  for (const auto& [key, bytes] : before) {
    if (bytes > 0) {
      add(key.first, "", key.second, bytes);
    }
  }
  std::vector<AliveTensor> list;
  for (auto& [key, tensor] : grouped) {
    list.push_back(std::move(tensor));
  }
  std::stable_sort(list.begin(), list.end(),
                   [](const AliveTensor& a, const AliveTensor& b) { return a.bytes > b.bytes; });
  return list;
}

std::vector<Area> treemap(const std::vector<double>& sizes, const Area& whole) {
  return Squarifier(sizes, whole).areas();
}

std::vector<PeakRow> peak_rows(const LedgerSnapshot& planned, const LedgerSnapshot& actual,
                               const LedgerSnapshot* other) {
  const LedgerSnapshot none;
  const LedgerSnapshot& theirs = other == nullptr ? none : *other;
  std::vector<PeakRow> rows;
  for (std::size_t category = 0; category < kCategoryNames.size(); ++category) {
    const PeakRow row{kCategoryNames[category], planned.by_category[category],
                      actual.by_category[category], theirs.by_category[category]};
    if (row.planned + row.actual + row.other > 0) {
      rows.push_back(row);
    }
  }
  rows.push_back({"all", planned.live_bytes, actual.live_bytes, theirs.live_bytes});
  return rows;
}

std::string change_of_bytes(std::int64_t bytes, std::int64_t other) {
  if (bytes == other) {
    return "same";
  }
  return fmt::format("{}{}", bytes > other ? '+' : '-', bytes_text(std::abs(bytes - other)));
}

StepScene step_scene(const MemoryProfile& profile) {
  constexpr std::size_t kColumns = 1024;  // more than a panel has pixels to tell apart
  return {.step = profile.step,
          .peak_phase = profile.peak_phase,
          .memory = step_memory(profile, kColumns),
          .alive = alive_at_peak(profile),
          .parts = parts_at_peak(profile)};
}

std::vector<PartMemory> parts_at_peak(const MemoryProfile& profile) {
  std::map<std::string, std::map<Category, std::int64_t>> sums;
  for (const LayerBytes& layer : profile.peak_by_layer) {
    if (layer.bytes > 0) {
      sums[part_of(layer.layer)][layer.category] += layer.bytes;
    }
  }
  const auto larger = [](const auto& a, const auto& b) { return a.bytes > b.bytes; };
  std::vector<PartMemory> parts;
  for (const auto& [part, categories] : sums) {
    PartMemory memory{.part = part, .by_category = {}};
    for (const auto& [category, bytes] : categories) {
      memory.bytes += bytes;
      memory.by_category.push_back({part, category, bytes});
    }
    std::stable_sort(memory.by_category.begin(), memory.by_category.end(), larger);
    parts.push_back(std::move(memory));
  }
  std::stable_sort(parts.begin(), parts.end(), larger);
  return parts;
}

}  // namespace lathe::ui
