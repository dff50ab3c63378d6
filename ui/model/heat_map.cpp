// See heat_map.h.
#include "ui/model/heat_map.h"

#include <algorithm>
#include <array>
#include <cmath>
#include <cstdlib>
#include <limits>
#include <optional>
#include <string_view>

namespace lathe::ui {

namespace {

constexpr std::array<std::string_view, 7> kKinds{"q", "k", "v", "o", "gate", "up", "down"};
constexpr std::array<std::string_view, 3> kParts{"", ".a", ".b"};

struct Place {
  std::size_t row = 0;  // of all kinds and parts
  std::int64_t block = 0;
};

// "layers.3.attention.v": the row of v, block 3.
std::optional<Place> place_of(std::string_view name) {
  std::size_t part = 0;
  if (name.ends_with(".a") || name.ends_with(".b")) {
    part = name.back() == 'a' ? 1 : 2;
    name.remove_suffix(2);
  }
  const auto kind =
      std::find(kKinds.begin(), kKinds.end(), name.substr(name.rfind('.') + std::size_t{1}));
  const std::size_t number = name.find('.') + std::size_t{1};
  if (kind == kKinds.end() || number == 0) {
    return std::nullopt;
  }
  return Place{static_cast<std::size_t>(kind - kKinds.begin()) * kParts.size() + part,
               std::strtoll(std::string(name.substr(number)).c_str(), nullptr, 10)};
}

std::string row_name(std::size_t row) {
  std::string name(kKinds[row / kParts.size()]);
  return name.append(kParts[row % kParts.size()]);
}

}  // namespace

double HeatMap::share(double value) const {
  const double from = logarithmic ? std::log(lowest) : lowest;
  const double to = logarithmic ? std::log(highest) : highest;
  const double at = logarithmic ? std::log(value) : value;
  return to > from ? std::clamp((at - from) / (to - from), 0.0, 1.0) : 1;
}

HeatMap empty_map(const std::vector<std::string>& names, std::int64_t blocks) {
  constexpr std::size_t kRows = kKinds.size() * kParts.size();
  std::array<bool, kRows> seen{};
  for (const std::string& name : names) {
    if (const auto place = place_of(name)) {
      seen[place->row] = true;
    }
  }
  HeatMap map;
  map.columns = blocks;
  std::array<std::size_t, kRows> row_of{};
  for (std::size_t row = 0; row < kRows; ++row) {
    row_of[row] = map.rows.size();
    if (seen[row]) {
      map.rows.push_back(row_name(row));
    }
  }
  const std::size_t cells = map.rows.size() * static_cast<std::size_t>(blocks);
  map.layers.assign(cells, -1);
  map.values.assign(cells, std::numeric_limits<double>::quiet_NaN());
  map.struck.assign(cells, false);
  for (std::size_t i = 0; i < names.size(); ++i) {
    const auto place = place_of(names[i]);
    if (place && place->block >= 0 && place->block < blocks) {
      map.layers[map.at(row_of[place->row], place->block)] = static_cast<int>(i);
    }
  }
  return map;
}

}  // namespace lathe::ui
