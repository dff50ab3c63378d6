// Described structs to and from JSON. Reading collects every error at once, names the nearest known
// key for an unknown one, checks ranges, and accepts former names; writing gives all fields in
// declaration order, so that equal structs give equal text (the identity of a spec).
#pragma once

#include <cmath>
#include <nlohmann/json.hpp>
#include <string>
#include <string_view>
#include <type_traits>
#include <vector>

#include "engine/base/describe.h"
#include "engine/base/params.h"
#include "engine/base/result.h"

namespace lathe {

using Json = nlohmann::ordered_json;

// Bounds on what a file may ask of the parser; published ones stay below a tenth of each. Copying,
// comparing and printing recurse as deep as brackets nest; an ordered object finds a key by
// walking.
inline constexpr std::size_t kDeepestJson = 200;
inline constexpr std::size_t kMostOrderedKeys = 20'000;  // of one object

namespace detail {
// What of a text is beyond the bounds, empty where nothing is. Text that is no JSON may pass.
std::string json_excess(std::string_view text, std::size_t most_keys);
}  // namespace detail

// Parses JSON text into a document of nlohmann's; kUsage with the reason, after `origin`.
template <typename Document>
Result<Document> parse_document(std::string_view text, std::string_view origin, bool comments) {
  constexpr bool kOrdered = std::is_same_v<Document, Json>;
  const std::string excess =
      detail::json_excess(text, kOrdered ? kMostOrderedKeys : std::string_view::npos);
  if (!excess.empty()) {
    return Error{ErrorKind::kUsage, std::string(origin) + " " + excess,
                 "make it smaller, or name another file"};
  }
  try {
    return Document::parse(text, nullptr, true, comments);
  } catch (const typename Document::exception& broken) {
    return Error{ErrorKind::kUsage, std::string(origin) + " is not valid JSON: " + broken.what(),
                 "comments with // and /* */ are allowed, trailing commas are not"};
  }
}

// Parses JSON text with // and /* */ comments; `origin` (a file name) begins the error's message.
Result<Json> parse_json(std::string_view text, std::string_view origin);

// Reads and parses a JSON file; kUsage if it is missing or malformed.
Result<Json> read_json_file(const std::string& path);

// The document as text, keys in their order: on one line, or indented by `indent` spaces a level.
// Bytes that are no UTF-8 are replaced, for a path or a file's metadata may hold any, and nothing
// may fail for them.
template <typename Document>
std::string json_text(const Document& document, int indent = -1) {
  return document.dump(indent, ' ', false, Document::error_handler_t::replace);
}

template <Described T>
Json to_json(const T& object) {
  Json out = Json::object();
  for_each_field(object, [&](const auto& f, const auto& value) {
    using Value = std::remove_cvref_t<decltype(value)>;
    const std::string name(f.name);
    if constexpr (Described<Value>) {
      out[name] = to_json(value);
    } else if constexpr (NamedEnum<Value>) {
      out[name] = std::string(enum_name(value));
    } else {
      out[name] = value;
    }
  });
  return out;
}

namespace detail {

// Each reads one scalar; on a wrong type or range it appends one sentence to `errors`.
void read_scalar(const Json& in, const std::string& path, const FieldMeta& meta, bool& out,
                 std::vector<std::string>& errors);
void read_scalar(const Json& in, const std::string& path, const FieldMeta& meta, std::int64_t& out,
                 std::vector<std::string>& errors);
void read_scalar(const Json& in, const std::string& path, const FieldMeta& meta, double& out,
                 std::vector<std::string>& errors);
void read_scalar(const Json& in, const std::string& path, const FieldMeta& meta, std::string& out,
                 std::vector<std::string>& errors);
void read_scalar(const Json& in, const std::string& path, const FieldMeta& meta,
                 std::vector<std::string>& out, std::vector<std::string>& errors);
// The index of the name among `names`, or -1 with an error.
int read_enum(const Json& in, const std::string& path, const std::string_view* names,
              std::size_t count, std::vector<std::string>& errors);
void report_unknown_key(const std::string& path, const std::vector<std::string>& known,
                        std::vector<std::string>& errors);

}  // namespace detail

// Overwrites the fields that `in` names; the others keep their values. `prefix` is the path of the
// struct within the whole document, for messages.
template <Described T>
void read_json(const Json& in, T& object, const std::string& prefix,
               std::vector<std::string>& errors) {
  if (!in.is_object()) {
    errors.push_back((prefix.empty() ? "the document" : prefix) + " must be a JSON object, not " +
                     json_text(in));
    return;
  }
  std::vector<std::string> known;
  for_each_field(object, [&](const auto& f, auto& value) {
    using Value = std::remove_cvref_t<decltype(value)>;
    known.emplace_back(f.name);
    auto found = in.find(f.name);
    if (found == in.end() && !f.meta.was.empty()) {
      known.emplace_back(f.meta.was);
      found = in.find(f.meta.was);
    }
    if (found == in.end()) {
      return;
    }
    const std::string path =
        prefix.empty() ? std::string(f.name) : prefix + "." + std::string(f.name);
    if constexpr (Described<Value>) {
      read_json(*found, value, path, errors);
    } else if constexpr (NamedEnum<Value>) {
      const auto& names = EnumNames<Value>::names;
      const int index = detail::read_enum(*found, path, names.data(), names.size(), errors);
      if (index >= 0) {
        value = static_cast<Value>(index);
      }
    } else {
      detail::read_scalar(*found, path, f.meta, value, errors);
    }
  });
  for (const auto& [key, unused] : in.items()) {
    bool is_known = false;
    for (const std::string& name : known) {
      is_known = is_known || name == key;
    }
    if (!is_known) {
      detail::report_unknown_key(prefix.empty() ? key : prefix + "." + key, known, errors);
    }
  }
}

}  // namespace lathe
