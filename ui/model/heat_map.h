// A model's layers as a map: a row for each kind of layer, a column for each block.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

namespace lathe::ui {

struct HeatMap {
  std::vector<std::string> rows;  // q k v o gate up down, as far as the model has them
  std::int64_t columns = 0;
  std::vector<int> layers;     // [rows, columns]: place in the list of layers, -1: none
  std::vector<double> values;  // [rows, columns]: NaN where there is none
  std::vector<bool> struck;    // [rows, columns]: stays as it is
  double lowest = 0;           // of the colours
  double highest = 1;
  bool logarithmic = false;  // colours, then of values above 0

  std::size_t at(std::size_t row, std::int64_t column) const {
    return row * static_cast<std::size_t>(columns) + static_cast<std::size_t>(column);
  }
  // Where a value lies between the lowest colour (0) and the highest (1).
  double share(double value) const;
};

// The map of layers of these names ("layers.3.attention.v", with ".a" or ".b" for a factor),
// without values. Rows stand in the order q k v o gate up down; what has another name has no cell.
HeatMap empty_map(const std::vector<std::string>& names, std::int64_t blocks);

}  // namespace lathe::ui
