// lathe query 'SELECT ...': the store is open to any question, and to no change.
#include <fmt/core.h>

#include "app/cli.h"
#include "app/table.h"
#include "app/verb_list.h"

namespace lathe::app {
namespace {

std::string cell_text(const Json& value) {
  return value.is_string() ? value.get<std::string>() : value.is_null() ? "" : json_text(value);
}

void print_objects(const storage::RunCatalog::Table& table) {
  for (const std::vector<Json>& row : table.rows) {
    Json object = Json::object();
    for (std::size_t i = 0; i < row.size(); ++i) {
      object[table.columns[i]] = row[i];
    }
    print_json(object);
  }
}

void print_table(const storage::RunCatalog::Table& table) {
  std::vector<Column> columns;
  for (const std::string& title : table.columns) {
    columns.push_back({title, false});
  }
  std::vector<std::vector<std::string>> rows;
  for (const std::vector<Json>& row : table.rows) {
    std::vector<std::string> cells;
    for (const Json& value : row) {
      cells.push_back(cell_text(value));
    }
    rows.push_back(std::move(cells));
  }
  fmt::print("{}", table_text(columns, rows));
}

}  // namespace

void add_query(CLI::App& root, Cli& cli) {
  const auto sql = std::make_shared<std::string>();
  CLI::App* verb = add_verb(
      root, cli, "query", "Ask the store in SQL (read-only; docs/store.md has the tables)",
      [&cli, sql] {
        return with_catalog(cli.options, [&](storage::RunCatalog& catalog) -> Result<void> {
          const auto table = catalog.query(*sql);
          if (!table) {
            return table.error();
          }
          cli.options.json ? print_objects(*table) : print_table(*table);
          return {};
        });
      });
  verb->add_option("sql", *sql, "one SELECT statement")->required();
}

}  // namespace lathe::app
