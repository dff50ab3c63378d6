// Reading and checking. JSON is parsed by nlohmann's parser, which does not recurse.
#include "engine/data/row_file.h"

#include <charconv>
#include <filesystem>
#include <fstream>

#include "engine/tokenizer/utf8.h"

namespace lathe {
namespace {

namespace fs = std::filesystem;

constexpr std::uintmax_t kLargestFile = std::uintmax_t{1} << 30;

Error data_error(const std::string& message, const std::string& remedy) {
  return {ErrorKind::kData, message, remedy};
}

Result<Json> parse_value(std::string_view text, const std::string& place) {
  auto value = parse_document<Json>(text, place, false);
  if (!value) {
    return data_error(value.error().message, "point at the set's own file");
  }
  return value;
}

Result<DataRow> make_row(Json value, std::string place) {
  if (!value.is_object()) {
    return data_error(place + " holds a JSON " + value.type_name() + ", not an object",
                      "point at the set's own file: one object an item");
  }
  return DataRow{std::move(value), std::move(place)};
}

Result<std::vector<DataRow>> rows_of_lines(std::string_view text, const std::string& path) {
  std::vector<DataRow> rows;
  std::size_t number = 0;
  for (const std::string_view line : split_lines(text)) {
    const std::string place = place_of(path, ++number);
    if (line.find_first_not_of(" \t\r\n\v\f") == std::string_view::npos) {
      continue;
    }
    auto value = parse_value(line, place);
    if (!value) {
      return value.error();
    }
    auto row = make_row(std::move(*value), place);
    if (!row) {
      return row.error();
    }
    rows.push_back(std::move(*row));
  }
  return rows;
}

Result<std::vector<DataRow>> rows_of_array(std::string_view text, const std::string& path) {
  const std::string name = fs::path(path).filename().string();
  auto array = parse_value(text, name);
  if (!array) {
    return array.error();
  }
  if (!array->is_array()) {
    return data_error(name + " holds a JSON " + array->type_name() + ", not an array of items",
                      "point at an array, or at JSON lines with the ending .jsonl");
  }
  std::vector<DataRow> rows;
  for (Json& value : *array) {
    auto row = make_row(std::move(value), name + " item " + std::to_string(rows.size() + 1));
    if (!row) {
      return row.error();
    }
    rows.push_back(std::move(*row));
  }
  return rows;
}

// One record of CSV from `at` on, which moves behind its line end; `line` counts line ends.
Result<std::vector<std::string>> next_record(std::string_view text, std::size_t& at,
                                             std::size_t& line, const std::string& path) {
  std::vector<std::string> fields(1);
  const std::size_t first_line = line;
  bool quoted = false;
  while (at < text.size()) {
    const char c = text[at++];
    line += c == '\n' ? 1 : 0;
    if (quoted) {
      if (c != '"') {
        fields.back() += c;
      } else if (at < text.size() && text[at] == '"') {
        fields.back() += text[at++];
      } else {
        quoted = false;
      }
    } else if (c == '"' && fields.back().empty()) {
      quoted = true;
    } else if (c == ',') {
      fields.emplace_back();
    } else if (c == '\n') {
      break;
    } else if (c != '\r' || (at < text.size() && text[at] != '\n')) {
      fields.back() += c;
    }
  }
  if (quoted) {
    return data_error(place_of(path, first_line) + " opens a quote that nothing closes",
                      "repair the CSV file");
  }
  return fields;
}

Result<std::vector<DataRow>> rows_of_csv(std::string_view text, const std::string& path) {
  std::size_t at = 0;
  std::size_t line = 1;
  const auto header = next_record(text, at, line, path);
  if (!header) {
    return header.error();
  }
  std::vector<DataRow> rows;
  while (at < text.size()) {
    const std::string place = place_of(path, line);
    const auto fields = next_record(text, at, line, path);
    if (!fields) {
      return fields.error();
    }
    if (fields->size() == 1 && fields->front().empty()) {
      continue;  // a blank line
    }
    if (fields->size() != header->size()) {
      return data_error(place + " has " + std::to_string(fields->size()) + " fields, the header " +
                            std::to_string(header->size()),
                        "repair the CSV file");
    }
    Json value = Json::object();
    for (std::size_t i = 0; i < fields->size(); ++i) {
      value[(*header)[i]] = (*fields)[i];
    }
    rows.push_back({std::move(value), place});
  }
  return rows;
}

}  // namespace

std::string place_of(const std::string& path, std::size_t line) {
  return fs::path(path).filename().string() + ":" + std::to_string(line);
}

std::vector<std::string_view> split_lines(std::string_view text) {
  std::vector<std::string_view> lines;
  for (std::size_t at = 0; at < text.size();) {
    const std::size_t end = std::min(text.find('\n', at), text.size());
    std::string_view line = text.substr(at, end - at);
    if (line.ends_with('\r')) {
      line.remove_suffix(1);
    }
    lines.push_back(line);
    at = end + 1;
  }
  return lines;
}

Result<std::string> read_bytes(const std::string& path) {
  std::error_code failed;
  const std::uintmax_t size = fs::is_regular_file(path, failed) ? fs::file_size(path, failed) : 0;
  std::ifstream file(path, std::ios::binary);
  if (failed || !fs::is_regular_file(path, failed) || !file) {
    return data_error("cannot read " + path, "name an existing file");
  }
  if (size > kLargestFile) {
    return data_error(path + " has " + std::to_string(size) + " bytes; 1 GiB is read at most",
                      "split the file");
  }
  std::string text(static_cast<std::size_t>(size), '\0');
  file.read(text.data(), static_cast<std::streamsize>(size));
  text.resize(static_cast<std::size_t>(file.gcount()));
  if (text.starts_with("\xef\xbb\xbf")) {
    text.erase(0, 3);
  }
  return text;
}

Result<std::string> read_text(const std::string& path) {
  auto text = read_bytes(path);
  if (text && !is_utf8(*text)) {
    return data_error(path + " is not UTF-8 text", "convert it, or name another file");
  }
  return text;
}

Result<std::vector<DataRow>> read_rows(const std::string& path) {
  const auto text = read_text(path);
  if (!text) {
    return text.error();
  }
  const std::string ending = fs::path(path).extension().string();
  auto rows = ending == ".json"  ? rows_of_array(*text, path)
              : ending == ".csv" ? rows_of_csv(*text, path)
                                 : rows_of_lines(*text, path);
  if (rows && rows->empty()) {
    return data_error(path + " has no items", "name a file with some");
  }
  return rows;
}

Error row_error(const DataRow& row, const std::string& problem) {
  return data_error(row.place + " " + problem, "point at the set's own file, as published");
}

Result<std::string> text_field(const DataRow& row, std::string_view name) {
  const auto found = row.value.find(name);
  if (found == row.value.end() || !found->is_string()) {
    return row_error(row, "has no text \"" + std::string(name) + "\"");
  }
  return found->get<std::string>();
}

Result<std::int64_t> index_field(const DataRow& row, std::string_view name, std::int64_t bound) {
  const auto found = row.value.find(name);
  std::int64_t index = -1;
  if (found != row.value.end() && found->is_number_integer()) {
    index = found->is_number_unsigned() && found->get<std::uint64_t>() > INT64_MAX
                ? -1
                : found->get<std::int64_t>();
  } else if (found != row.value.end() && found->is_string()) {
    const auto& text = found->get_ref<const std::string&>();
    if (std::from_chars(text.data(), text.data() + text.size(), index).ptr !=
        text.data() + text.size()) {
      index = -1;
    }
  }
  if (index < 0 || index >= bound) {
    return row_error(row, "has no \"" + std::string(name) + "\" from 0 to " +
                              std::to_string(bound - 1) +
                              (found == row.value.end() ? "" : ", but " + json_text(*found)));
  }
  return index;
}

}  // namespace lathe
