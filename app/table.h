// Columns of text, aligned for a terminal.
#pragma once

#include <string>
#include <vector>

namespace lathe::app {

struct Column {
  std::string title;
  bool right = false;  // numbers stand to the right
};

// A header line, a rule and one line per row; every row has one cell per column.
std::string table_text(const std::vector<Column>& columns,
                       const std::vector<std::vector<std::string>>& rows);

}  // namespace lathe::app
