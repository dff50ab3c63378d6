// See library.h: the three tables and what is behind their entries, save for the string
// methods, which are in string_methods.
#include "engine/tokenizer/jinja/library.h"

#include <algorithm>
#include <nlohmann/json.hpp>

#include "engine/tokenizer/jinja/operators.h"
#include "engine/tokenizer/jinja/string_methods.h"
#include "engine/tokenizer/jinja/text.h"

namespace lathe::jinja {
namespace {

template <typename Answer>
struct Entry {
  std::string_view name;
  std::size_t min_arguments;
  std::size_t max_arguments;
  Answer (*apply)(const Call& call);
};

// The entry of the call's name if it takes that many arguments; null, and the run failed, if not.
template <typename Answer>
const Entry<Answer>* find_entry(std::span<const Entry<Answer>> table, const Call& call,
                                std::string_view kind) {
  const auto found = std::find_if(table.begin(), table.end(),
                                  [&](const auto& entry) { return entry.name == call.name; });
  const std::string named = "the " + std::string(kind) + " " + quoted(call.name);
  if (found == table.end()) {
    call.run.fail(call.line, named + " is not known here");
    return nullptr;
  }
  const std::size_t count = call.arguments.size();
  if (count < found->min_arguments || count > found->max_arguments) {
    call.run.fail(call.line,
                  named + " with " + std::to_string(count) + " arguments is not known here");
    return nullptr;
  }
  return &*found;
}

// ---- JSON

void append_json(const Call& call, const Value& value, std::string& out);

void append_json_string(const Call& call, const std::string& text, std::string& out) {
  constexpr std::size_t kLongestEscape = 6;
  if (call.run.spend_bytes(call.line, text.size() * kLongestEscape)) {
    out += nlohmann::json(text).dump(-1, ' ', false, nlohmann::json::error_handler_t::replace);
  }
}

void append_json_list(const Call& call, const List& list, std::string& out) {
  std::string_view separator = "[";
  for (const Value& item : list.items) {
    if (call.run.failed()) {
      return;
    }
    out += separator;
    append_json(call, item, out);
    separator = ", ";
  }
  out += list.items.empty() ? "[]" : "]";
}

void append_json_map(const Call& call, const Map& map, std::string& out) {
  std::string_view separator = "{";
  for (const auto& [key, value] : map.entries) {
    if (call.run.failed()) {
      return;
    }
    out += separator;
    append_json_string(call, key, out);
    out += ": ";
    append_json(call, value, out);
    separator = ", ";
  }
  out += map.entries.empty() ? "{}" : "}";
}

// As transformers calls json.dumps: characters outside ASCII stay, ", " and ": " separate.
void append_json(const Call& call, const Value& value, std::string& out) {
  if (!call.run.spend_steps(call.line, 1)) {
    return;
  }
  if (const std::string* text = text_in(value)) {
    append_json_string(call, *text, out);
  } else if (const List* list = list_in(value)) {
    append_json_list(call, *list, out);
  } else if (const Map* map = map_in(value)) {
    append_json_map(call, *map, out);
  } else if (const auto* flag = std::get_if<bool>(&value)) {
    out += *flag ? "true" : "false";
  } else if (const auto integer = integer_in(value)) {
    out += std::to_string(*integer);
  } else if (std::holds_alternative<None>(value)) {
    out += "null";
  } else {
    call.run.fail(call.line, "there is no JSON for " + std::string(type_name(value)));
  }
}

Value filter_tojson(const Call& call) {
  std::string out;
  append_json(call, call.self, out);
  return call.run.text(call.line, std::move(out));
}

// ---- Other filters

// default(value, true) replaces what counts as false too.
Value filter_default(const Call& call) {
  const bool also_false = call.arguments.size() > 1 && is_true(call.arguments[1]);
  const bool missing = is_undefined(call.self) || (also_false && !is_true(call.self));
  return missing ? call.arguments[0] : call.self;
}

Value filter_first(const Call& call) {
  const std::vector<Value> items = items_of(call.run, call.line, call.self);
  return items.empty() ? Undefined{} : items.front();
}

Value filter_last(const Call& call) {
  const std::vector<Value> items = items_of(call.run, call.line, call.self);
  return items.empty() ? Undefined{} : items.back();
}

Value filter_length(const Call& call) {
  if (const std::string* text = text_in(call.self)) {
    call.run.spend_bytes(call.line, text->size());
    return static_cast<std::int64_t>(character_count(*text));
  }
  if (const List* list = list_in(call.self)) {
    return static_cast<std::int64_t>(list->items.size());
  }
  if (const Map* map = map_in(call.self)) {
    return static_cast<std::int64_t>(map->entries.size());
  }
  return is_undefined(call.self)
             ? Value(std::int64_t{0})
             : call.run.fail(call.line, std::string(type_name(call.self)) + " has no length");
}

Value filter_list(const Call& call) {
  return call.run.list(call.line, items_of(call.run, call.line, call.self));
}

// The items whose attribute passes the test, or does not; without a test, whose attribute is true.
Value select_by(const Call& call, bool wanted) {
  const bool has_test = call.arguments.size() > 1;
  const std::string* test = has_test ? text_in(call.arguments[1]) : nullptr;
  if (text_in(call.arguments[0]) == nullptr || (has_test && test == nullptr)) {
    return call.run.fail(call.line, "the filter " + quoted(call.name) +
                                        " needs the names of an attribute and a test");
  }
  std::vector<Value> kept;
  for (const Value& item : items_of(call.run, call.line, call.self)) {
    const Value attribute = item_at(call.run, call.line, item, call.arguments[0]);
    const bool passes =
        has_test ? apply_test({call.run, call.line, *test, attribute, call.arguments.subspan(2)})
                 : is_true(attribute);
    if (call.run.failed()) {
      return Undefined{};
    }
    if (passes == wanted) {
      kept.push_back(item);
    }
  }
  return call.run.list(call.line, std::move(kept));
}

Value filter_selectattr(const Call& call) {
  return select_by(call, true);
}

Value filter_rejectattr(const Call& call) {
  return select_by(call, false);
}

// The filters that are string methods turn their input into a string first.
Value string_filter(const Call& call) {
  const Value text = call.run.text(call.line, to_text(call.run, call.line, call.self));
  if (call.run.failed() || call.name == "string") {
    return text;
  }
  const std::string_view method = call.name == "trim" ? "strip" : call.name;
  return call_method({call.run, call.line, method, text, call.arguments});
}

constexpr Entry<Value> kFilters[] = {{"count", 0, 0, filter_length},
                                     {"d", 1, 2, filter_default},
                                     {"default", 1, 2, filter_default},
                                     {"first", 0, 0, filter_first},
                                     {"last", 0, 0, filter_last},
                                     {"length", 0, 0, filter_length},
                                     {"list", 0, 0, filter_list},
                                     {"lower", 0, 0, string_filter},
                                     {"rejectattr", 1, 3, filter_rejectattr},
                                     {"selectattr", 1, 3, filter_selectattr},
                                     {"string", 0, 0, string_filter},
                                     {"tojson", 0, 0, filter_tojson},
                                     {"trim", 0, 1, string_filter},
                                     {"upper", 0, 0, string_filter}};

// ---- Tests

bool test_boolean(const Call& call) {
  return std::holds_alternative<bool>(call.self);
}

bool test_defined(const Call& call) {
  return !is_undefined(call.self);
}

bool test_equal(const Call& call) {
  return is_equal(call.run, call.line, call.self, call.arguments[0]);
}

bool test_false(const Call& call) {
  const auto* flag = std::get_if<bool>(&call.self);
  return flag != nullptr && !*flag;
}

// Undefined values are empty sequences.
bool test_iterable(const Call& call) {
  return is_undefined(call.self) || text_in(call.self) != nullptr ||
         list_in(call.self) != nullptr || map_in(call.self) != nullptr;
}

bool test_mapping(const Call& call) {
  return map_in(call.self) != nullptr;
}

bool test_none(const Call& call) {
  return std::holds_alternative<None>(call.self);
}

bool test_number(const Call& call) {
  return integer_in(call.self).has_value();
}

bool test_string(const Call& call) {
  return text_in(call.self) != nullptr;
}

bool test_true(const Call& call) {
  const auto* flag = std::get_if<bool>(&call.self);
  return flag != nullptr && *flag;
}

bool test_undefined(const Call& call) {
  return is_undefined(call.self);
}

constexpr Entry<bool> kTests[] = {
    {"boolean", 0, 0, test_boolean},    {"defined", 0, 0, test_defined},
    {"eq", 1, 1, test_equal},           {"equalto", 1, 1, test_equal},
    {"false", 0, 0, test_false},        {"iterable", 0, 0, test_iterable},
    {"mapping", 0, 0, test_mapping},    {"none", 0, 0, test_none},
    {"number", 0, 0, test_number},      {"sequence", 0, 0, test_iterable},
    {"string", 0, 0, test_string},      {"true", 0, 0, test_true},
    {"undefined", 0, 0, test_undefined}};

// ---- Methods

Value method_get(const Call& call) {
  const std::string* key = text_in(call.arguments[0]);
  const Value* found = key != nullptr ? map_in(call.self)->find(*key) : nullptr;
  const bool has_default = call.arguments.size() > 1;
  return found != nullptr ? *found : has_default ? call.arguments[1] : Value(None{});
}

constexpr Entry<Value> kMapMethods[] = {{"get", 1, 2, method_get}};

constexpr Entry<Value> kStringMethods[] = {
    {"endswith", 1, 1, method_endswith}, {"lower", 0, 0, method_lower},
    {"lstrip", 0, 1, method_strip},      {"rstrip", 0, 1, method_strip},
    {"split", 0, 1, method_split},       {"startswith", 1, 1, method_startswith},
    {"strip", 0, 1, method_strip},       {"upper", 0, 0, method_upper}};

// Methods of Python's dict, which Jinja finds behind a dot where there is no such key.
constexpr std::string_view kDictMethods[] = {"clear",      "copy",   "fromkeys", "get",
                                             "items",      "keys",   "pop",      "popitem",
                                             "setdefault", "update", "values"};

}  // namespace

Value apply_filter(const Call& call) {
  const auto* entry = find_entry<Value>(kFilters, call, "filter");
  return entry != nullptr ? entry->apply(call) : Undefined{};
}

bool apply_test(const Call& call) {
  const auto* entry = find_entry<bool>(kTests, call, "test");
  return entry != nullptr && entry->apply(call);
}

Value call_method(const Call& call) {
  const bool is_map = map_in(call.self) != nullptr;
  if (!is_map && text_in(call.self) == nullptr) {
    return call.run.fail(call.line, "the method " + quoted(call.name) + " of " +
                                        std::string(type_name(call.self)) + " is not known here");
  }
  const auto* entry = is_map ? find_entry<Value>(kMapMethods, call, "method")
                             : find_entry<Value>(kStringMethods, call, "method");
  return entry != nullptr ? entry->apply(call) : Undefined{};
}

bool has_method(const Value& value, std::string_view name) {
  if (map_in(value) != nullptr) {
    return std::find(std::begin(kDictMethods), std::end(kDictMethods), name) !=
           std::end(kDictMethods);
  }
  return text_in(value) != nullptr &&
         std::any_of(std::begin(kStringMethods), std::end(kStringMethods),
                     [&](const auto& entry) { return entry.name == name; });
}

}  // namespace lathe::jinja
