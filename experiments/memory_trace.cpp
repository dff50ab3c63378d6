// See memory_trace.h.
#include "experiments/memory_trace.h"

#include <algorithm>
#include <map>
#include <unordered_map>

#include "engine/base/json.h"

namespace lathe::experiments {
namespace {

std::string category_name(std::size_t category) {
  return std::string(kCategoryNames[category]);
}

Json counter(std::size_t at, const CategoryBytes& bytes) {
  Json values = Json::object();
  for (std::size_t category = 0; category < bytes.size(); ++category) {
    values[category_name(category)] = bytes[category];
  }
  return {{"name", "bytes"}, {"ph", "C"}, {"ts", at}, {"pid", 1}, {"args", values}};
}

Json lifetime(const MemoryProfile& profile, const LedgerEvent& taken, std::size_t from,
              std::size_t to) {
  const bool named = taken.tag >= 0 && static_cast<std::size_t>(taken.tag) < profile.tags.size();
  const Tag tag = named ? profile.tags[static_cast<std::size_t>(taken.tag)] : Tag{};
  const auto category = static_cast<std::size_t>(taken.category);
  return {{"name", tag.layer.empty() ? tag.name : tag.layer + " " + tag.name},
          {"cat", category_name(category)},
          {"ph", "X"},
          {"ts", from},
          {"dur", to - from},
          {"pid", 1},
          {"tid", category + 1},
          {"args", {{"bytes", taken.bytes}}}};
}

// Names of the process and of a row for each category.
void name_rows(const MemoryProfile& profile, Json& events) {
  events.push_back({{"name", "process_name"},
                    {"ph", "M"},
                    {"pid", 1},
                    {"args",
                     {{"name", (profile.run.empty() ? "planned" : "run " + profile.run) +
                                   ", step " + std::to_string(profile.step)}}}});
  for (std::size_t category = 0; category < kCategoryNames.size(); ++category) {
    events.push_back({{"name", "thread_name"},
                      {"ph", "M"},
                      {"pid", 1},
                      {"tid", category + 1},
                      {"args", {{"name", category_name(category)}}}});
  }
}

}  // namespace

std::size_t peak_event(const MemoryProfile& profile) {
  const auto highest = std::max_element(
      profile.time_line.begin(), profile.time_line.end(),
      [](const LedgerEvent& a, const LedgerEvent& b) { return a.live_bytes < b.live_bytes; });
  return static_cast<std::size_t>(highest - profile.time_line.begin());
}

CategoryBytes bytes_before(const MemoryProfile& profile) {
  CategoryBytes bytes{};
  for (const LayerBytes& layer : profile.peak_by_layer) {
    bytes[static_cast<std::size_t>(layer.category)] += layer.bytes;
  }
  const std::size_t peak = peak_event(profile);
  for (std::size_t i = 0; i < profile.time_line.size() && i <= peak; ++i) {
    const LedgerEvent& event = profile.time_line[i];
    bytes[static_cast<std::size_t>(event.category)] -= event.bytes;
  }
  return bytes;
}

std::string memory_trace(const MemoryProfile& profile) {
  Json events = Json::array();
  name_rows(profile, events);
  CategoryBytes bytes = bytes_before(profile);
  events.push_back(counter(0, bytes));
  std::unordered_map<std::uint64_t, std::size_t> taken;  // block -> event
  for (std::size_t i = 0; i < profile.time_line.size(); ++i) {
    const LedgerEvent& event = profile.time_line[i];
    bytes[static_cast<std::size_t>(event.category)] += event.bytes;
    events.push_back(counter(i + 1, bytes));
    if (event.bytes > 0) {
      taken[event.block] = i;
    } else if (const auto begun = taken.find(event.block); begun != taken.end()) {
      events.push_back(
          lifetime(profile, profile.time_line[begun->second], begun->second + 1, i + 1));
      taken.erase(begun);
    }
  }
  std::map<std::size_t, std::uint64_t> stay;  // beyond the step, in order
  for (const auto& [block, begun] : taken) {
    stay[begun] = block;
  }
  for (const auto& [begun, block] : stay) {
    events.push_back(
        lifetime(profile, profile.time_line[begun], begun + 1, profile.time_line.size() + 1));
  }
  return json_text(Json{{"traceEvents", events}, {"displayTimeUnit", "ns"}});
}

}  // namespace lathe::experiments
