// Scalars of described structs, and JSON text with comments.
#include "engine/base/json.h"

#include <algorithm>
#include <fstream>
#include <sstream>

namespace lathe {

Result<Json> parse_json(std::string_view text, std::string_view origin) {
  return parse_document<Json>(text, origin, true);
}

Result<Json> read_json_file(const std::string& path) {
  std::ifstream file(path, std::ios::binary);
  if (!file) {
    return Error{ErrorKind::kUsage, "cannot read " + path, "name an existing JSON file"};
  }
  std::ostringstream text;
  text << file.rdbuf();
  return parse_json(text.str(), path);
}

namespace detail {
namespace {

// Where the string that begins at `at` (its quote) ends.
std::size_t end_of_string(std::string_view text, std::size_t at) {
  for (++at; at < text.size() && text[at] != '"'; ++at) {
    at += text[at] == '\\' ? 1 : 0;
  }
  return at;
}

// The same of what begins with a slash: a comment, if it is one.
std::size_t end_of_comment(std::string_view text, std::size_t at) {
  const bool line = text.substr(at, 2) == "//";
  if (!line && text.substr(at, 2) != "/*") {
    return at;
  }
  const std::size_t end = text.find(line ? "\n" : "*/", at + 2);
  return end == std::string_view::npos ? text.size() : end + (line ? 0 : 1);
}

std::string range_text(const FieldMeta& meta) {
  if (std::isinf(meta.lo) && std::isinf(meta.hi)) {
    return "any number";
  }
  if (std::isinf(meta.hi)) {
    return "at least " + real_text(meta.lo);
  }
  if (std::isinf(meta.lo)) {
    return "at most " + real_text(meta.hi);
  }
  return "from " + real_text(meta.lo) + " to " + real_text(meta.hi);
}

void report(const Json& in, const std::string& path, const std::string& wanted,
            std::vector<std::string>& errors) {
  errors.push_back(path + "=" + json_text(in) + " is not legal: it takes " + wanted);
}

bool in_range(double value, const FieldMeta& meta) {
  return value >= meta.lo && value <= meta.hi;
}

}  // namespace

std::string json_excess(std::string_view text, std::size_t most_keys) {
  std::vector<std::size_t> keys;  // so far, of each bracket that is open
  for (std::size_t at = 0; at < text.size(); ++at) {
    switch (text[at]) {
      case '"':
        at = end_of_string(text, at);
        break;
      case '/':
        at = end_of_comment(text, at);
        break;
      case '[':
      case '{':
        keys.push_back(0);
        if (keys.size() > kDeepestJson) {
          return "nests JSON deeper than " + std::to_string(kDeepestJson) + " brackets";
        }
        break;
      case ']':
      case '}':
        if (!keys.empty()) {
          keys.pop_back();
        }
        break;
      case ':':
        if (!keys.empty() && ++keys.back() > most_keys) {
          return "has a JSON object of more than " + std::to_string(most_keys) + " keys";
        }
        break;
      default:
        break;
    }
  }
  return "";
}

void read_scalar(const Json& in, const std::string& path, const FieldMeta&, bool& out,
                 std::vector<std::string>& errors) {
  if (!in.is_boolean()) {
    report(in, path, "true or false", errors);
    return;
  }
  out = in.get<bool>();
}

void read_scalar(const Json& in, const std::string& path, const FieldMeta& meta, std::int64_t& out,
                 std::vector<std::string>& errors) {
  const bool whole = in.is_number_integer() ||
                     (in.is_number_float() && in.get<double>() == std::floor(in.get<double>()) &&
                      std::abs(in.get<double>()) < 9e15);
  const bool too_large = in.is_number_unsigned() && in.get<std::uint64_t>() > INT64_MAX;
  if (!whole || too_large || !in_range(in.get<double>(), meta)) {
    report(in, path, "a whole number, " + range_text(meta), errors);
    return;
  }
  out = in.get<std::int64_t>();
}

void read_scalar(const Json& in, const std::string& path, const FieldMeta& meta, double& out,
                 std::vector<std::string>& errors) {
  if (!in.is_number() || !std::isfinite(in.get<double>()) || !in_range(in.get<double>(), meta)) {
    report(in, path, "a number, " + range_text(meta), errors);
    return;
  }
  out = in.get<double>();
}

void read_scalar(const Json& in, const std::string& path, const FieldMeta&, std::string& out,
                 std::vector<std::string>& errors) {
  if (!in.is_string()) {
    report(in, path, "a text", errors);
    return;
  }
  out = in.get<std::string>();
}

void read_scalar(const Json& in, const std::string& path, const FieldMeta&,
                 std::vector<std::string>& out, std::vector<std::string>& errors) {
  const bool texts = in.is_array() && std::all_of(in.begin(), in.end(), [](const Json& item) {
                       return item.is_string();
                     });
  if (!texts) {
    report(in, path, "a list of texts", errors);
    return;
  }
  out = in.get<std::vector<std::string>>();
}

int read_enum(const Json& in, const std::string& path, const std::string_view* names,
              std::size_t count, std::vector<std::string>& errors) {
  std::string wanted;
  for (std::size_t i = 0; i < count; ++i) {
    if (in.is_string() && in.get_ref<const std::string&>() == names[i]) {
      return static_cast<int>(i);
    }
    wanted += (i == 0 ? "" : ", ") + std::string(names[i]);
  }
  report(in, path, "one of " + wanted, errors);
  return -1;
}

void report_unknown_key(const std::string& path, const std::vector<std::string>& known,
                        std::vector<std::string>& errors) {
  const std::size_t dot = path.rfind('.');
  const std::string key = dot == std::string::npos ? path : path.substr(dot + 1);
  const auto nearest =
      std::min_element(known.begin(), known.end(), [&](const std::string& a, const std::string& b) {
        return edit_distance(a, key) < edit_distance(b, key);
      });
  std::string message = "unknown key " + path;
  if (nearest != known.end()) {
    message += "; the nearest is " + *nearest;
  }
  errors.push_back(std::move(message));
}

}  // namespace detail
}  // namespace lathe
