// Widths are counted in code points, so that "µ" and "≤" do not push columns apart.
#include "app/table.h"

#include <algorithm>

#include "engine/base/check.h"

namespace lathe::app {
namespace {

std::size_t width_of(const std::string& text) {
  return static_cast<std::size_t>(std::count_if(text.begin(), text.end(), [](char byte) {
    return (static_cast<unsigned char>(byte) & 0xC0) != 0x80;
  }));
}

std::string line_text(const std::vector<Column>& columns, const std::vector<std::size_t>& widths,
                      const std::vector<std::string>& cells) {
  std::string line;
  for (std::size_t i = 0; i < columns.size(); ++i) {
    const std::string padding(widths[i] - width_of(cells[i]), ' ');
    line += i == 0 ? "" : "  ";
    line += columns[i].right ? padding + cells[i] : cells[i] + padding;
  }
  line.erase(line.find_last_not_of(' ') + 1);
  return line + "\n";
}

}  // namespace

std::string table_text(const std::vector<Column>& columns,
                       const std::vector<std::vector<std::string>>& rows) {
  std::vector<std::size_t> widths;
  std::vector<std::string> titles;
  for (const Column& column : columns) {
    widths.push_back(width_of(column.title));
    titles.push_back(column.title);
  }
  for (const std::vector<std::string>& row : rows) {
    CHECK(row.size() == columns.size(), "a row has one cell per column");
    for (std::size_t i = 0; i < row.size(); ++i) {
      widths[i] = std::max(widths[i], width_of(row[i]));
    }
  }
  std::vector<std::string> rule;
  for (const std::size_t width : widths) {
    rule.emplace_back(width, '-');
  }
  std::string text = line_text(columns, widths, titles) + line_text(columns, widths, rule);
  for (const std::vector<std::string>& row : rows) {
    text += line_text(columns, widths, row);
  }
  return text;
}

}  // namespace lathe::app
