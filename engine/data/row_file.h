// Data sets as their authors publish them: JSON lines, a JSON array, CSV with a header, plain text.
// Files come from anywhere, so each is checked before use: size, UTF-8, shape; errors name the
// line.
#pragma once

#include <string>
#include <string_view>
#include <vector>

#include "engine/base/json.h"

namespace lathe {

// One item of a set, and where it stands.
struct DataRow {
  Json value;         // always an object; of CSV all fields are text
  std::string place;  // "piqa.jsonl:12"
};

// A whole file. kData where it is missing, not a regular file or larger than 1 GiB.
Result<std::string> read_bytes(const std::string& path);

// The same, which must be UTF-8.
Result<std::string> read_text(const std::string& path);

// The rows of a set: .json (an array of objects), .csv (RFC 4180, first record is the header),
// anything else as JSON lines; blank lines are passed over. kData, naming the line, for what is
// not.
Result<std::vector<DataRow>> read_rows(const std::string& path);

// Lines without their ends; a last empty one does not count.
std::vector<std::string_view> split_lines(std::string_view text);

// A field that must be there, as text. kData, naming place, field and what stands there.
Result<std::string> text_field(const DataRow& row, std::string_view name);

// A whole number, or text that is one ("3"). kData as above, and where it is not in [0, bound).
Result<std::int64_t> index_field(const DataRow& row, std::string_view name, std::int64_t bound);

// "piqa.jsonl:12".
std::string place_of(const std::string& path, std::size_t line);

// The error of a row that lacks what its set has.
Error row_error(const DataRow& row, const std::string& problem);

}  // namespace lathe
