// See param_table.h.
#include "storage/param_table.h"

#include <algorithm>
#include <map>
#include <optional>

#include "engine/base/json.h"

namespace lathe::storage {
namespace {

std::string_view sql_type(ParamType type) {
  switch (type) {
    case ParamType::kBool:
    case ParamType::kInt:
      return "INTEGER";
    case ParamType::kReal:
      return "REAL";
    case ParamType::kText:
    case ParamType::kEnum:
    case ParamType::kTextList:
      return "TEXT";
  }
  return "TEXT";
}

std::string replaced(std::string text, char from, char to) {
  std::replace(text.begin(), text.end(), from, to);
  return text;
}

std::string pointer_to(const std::string& path) {
  return std::string("/").append(replaced(path, '.', '/'));
}

// "model.dim" -> {"/model", "params_model", "dim"}; "seed" -> {"", "params_run", "seed"};
// "method.low_rank.rank" -> {"/method/low_rank", "params_low_rank", "rank"}.
struct Place {
  std::string section;
  std::string table;
  std::string column;
};

Place place_of(const std::string& path) {
  constexpr std::string_view kMethod = "method.";
  const std::size_t begin = path.starts_with(kMethod) ? kMethod.size() : 0;
  const std::size_t dot = path.find('.', begin);
  if (dot == std::string::npos) {
    return {"", "params_run", path};
  }
  return {pointer_to(path.substr(0, dot)), "params_" + path.substr(begin, dot - begin),
          replaced(path.substr(dot + 1), '.', '_')};
}

// Column name -> declared type of an existing table.
std::map<std::string, std::string> columns_of(Connection& connection, const std::string& table) {
  std::map<std::string, std::string> columns;
  Statement& row = connection.prepare("SELECT name, type FROM pragma_table_info(?)", {table});
  while (row.step()) {
    columns.emplace(row.text(0), row.text(1));
  }
  row.reset();
  return columns;
}

// The column's name: its own, or with the type where an older column of that name has another.
std::string settle_column(Connection& connection, const std::string& table,
                          const std::string& wanted, std::string_view type) {
  const std::map<std::string, std::string> existing = columns_of(connection, table);
  std::string name = wanted;
  if (const auto old = existing.find(name); old != existing.end() && old->second != type) {
    std::string suffix(type);
    std::transform(suffix.begin(), suffix.end(), suffix.begin(),
                   [](char c) { return static_cast<char>(c - 'A' + 'a'); });
    name += "_" + suffix;
  }
  if (!existing.contains(name)) {
    connection.script("ALTER TABLE \"" + table + "\" ADD COLUMN \"" + name + "\" " +
                      std::string(type));
  }
  return name;
}

std::string insert_text(const ParamTable& table) {
  std::string names = "run";
  std::string marks = "?";
  for (const ParamColumn& column : table.columns) {
    names += ", \"" + column.name + "\"";
    marks += ", ?";
  }
  return "INSERT OR REPLACE INTO \"" + table.name + "\" (" + names + ") VALUES (" + marks + ")";
}

// `text` owns what a text value refers to.
SqlValue value_of(const Json& document, const ParamColumn& column, std::string& text) {
  const Json::json_pointer pointer(column.pointer);
  if (!document.contains(pointer)) {
    return nullptr;
  }
  const Json& value = document.at(pointer);
  switch (column.type) {
    case ParamType::kBool:
      return value.is_boolean() ? SqlValue(std::int64_t{value.get<bool>()}) : SqlValue(nullptr);
    case ParamType::kInt:
      return value.is_number_integer() ? SqlValue(value.get<std::int64_t>()) : SqlValue(nullptr);
    case ParamType::kReal:
      return value.is_number() ? SqlValue(value.get<double>()) : SqlValue(nullptr);
    case ParamType::kText:
    case ParamType::kEnum:
      if (!value.is_string()) {
        return nullptr;
      }
      text = value.get<std::string>();
      return std::string_view(text);
    case ParamType::kTextList:
      text = json_text(value);
      return std::string_view(text);
  }
  return nullptr;
}

}  // namespace

std::vector<ParamTable> update_param_tables(Connection& connection,
                                            std::span<const ParamInfo> params) {
  std::vector<ParamTable> tables;
  for (const ParamInfo& param : params) {
    const Place place = place_of(param.path);
    auto table = std::find_if(tables.begin(), tables.end(),
                              [&](const ParamTable& known) { return known.name == place.table; });
    if (table == tables.end()) {
      connection.script(
          "CREATE TABLE IF NOT EXISTS \"" + place.table +
          "\" (run INTEGER PRIMARY KEY REFERENCES runs(key) ON DELETE CASCADE) STRICT");
      table = tables.insert(tables.end(), {place.table, place.section, {}});
    }
    const std::string name =
        settle_column(connection, place.table, place.column, sql_type(param.type));
    table->columns.push_back({name, param.type, pointer_to(param.path)});
  }
  return tables;
}

void store_params(Connection& connection, std::span<const ParamTable> tables, std::int64_t run,
                  const Json& spec) {
  for (const ParamTable& table : tables) {
    if (!table.section.empty() && !spec.contains(Json::json_pointer(table.section))) {
      continue;
    }
    std::vector<std::string> texts(table.columns.size());
    std::vector<SqlValue> values{run};
    for (std::size_t i = 0; i < table.columns.size(); ++i) {
      values.push_back(value_of(spec, table.columns[i], texts[i]));
    }
    connection.run(insert_text(table), values);
  }
}

}  // namespace lathe::storage
