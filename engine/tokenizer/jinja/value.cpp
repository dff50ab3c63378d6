// See value.h.
#include "engine/tokenizer/jinja/value.h"

#include <algorithm>

namespace lathe::jinja {
namespace {

int nesting_of(const Value& value) {
  if (const List* list = list_in(value)) {
    return list->nesting;
  }
  const Map* map = map_in(value);
  return map != nullptr ? map->nesting : 0;
}

template <typename Pointer>
auto pointed(const Value& value) -> decltype(std::get<Pointer>(value).get()) {
  const auto* pointer = std::get_if<Pointer>(&value);
  return pointer != nullptr ? pointer->get() : nullptr;
}

}  // namespace

const Value* Map::find(std::string_view key) const {
  const auto found = std::find_if(entries.begin(), entries.end(),
                                  [&](const auto& entry) { return entry.first == key; });
  return found != entries.end() ? &found->second : nullptr;
}

const std::string* text_in(const Value& value) {
  return pointed<Text>(value);
}

const List* list_in(const Value& value) {
  return pointed<ListPtr>(value);
}

const Map* map_in(const Value& value) {
  return pointed<MapPtr>(value);
}

std::optional<std::int64_t> integer_in(const Value& value) {
  if (const auto* integer = std::get_if<std::int64_t>(&value)) {
    return *integer;
  }
  const auto* flag = std::get_if<bool>(&value);
  return flag != nullptr ? std::optional<std::int64_t>(*flag ? 1 : 0) : std::nullopt;
}

bool is_undefined(const Value& value) {
  return std::holds_alternative<Undefined>(value);
}

bool is_true(const Value& value) {
  if (const std::string* text = text_in(value)) {
    return !text->empty();
  }
  if (const List* list = list_in(value)) {
    return !list->items.empty();
  }
  if (const Map* map = map_in(value)) {
    return !map->entries.empty();
  }
  return integer_in(value).value_or(std::holds_alternative<NamespaceId>(value) ? 1 : 0) != 0;
}

std::string_view type_name(const Value& value) {
  constexpr std::string_view kNames[] = {"an undefined value", "none",       "a truth value",
                                         "an integer",         "a string",   "a list",
                                         "a mapping",          "a namespace"};
  return kNames[value.index()];
}

std::string shown(std::string_view text) {
  constexpr std::size_t kLongest = 200;
  std::string out(text.substr(0, kLongest));
  std::replace_if(
      out.begin(), out.end(),
      [](char c) { return static_cast<unsigned char>(c) < 0x20 || c == 0x7F; }, ' ');
  return text.size() > kLongest ? out + "..." : out;
}

std::string quoted(std::string_view name) {
  std::string out = "'";
  out += name;
  out += '\'';
  return out;
}

Error template_error(int line, const std::string& what, ErrorKind kind) {
  const bool refused = kind == ErrorKind::kUsage;
  return {.kind = kind,
          .message = "the model's chat template, line " + std::to_string(line) + ": " + what,
          .remedy = refused ? "change the messages as it asks"
                            : "give the prompt as plain text, or give the model another template"};
}

Value Run::fail(int line, const std::string& what, ErrorKind kind) {
  if (!failed()) {
    error_ = template_error(line, what, kind);
  }
  return Undefined{};
}

bool Run::spend_steps(int line, std::size_t steps) {
  steps_ += std::min(steps, kMaxSteps);
  if (steps_ >= kMaxSteps) {
    fail(line, "it takes more than " + std::to_string(kMaxSteps) + " steps, the most allowed");
  }
  return !failed();
}

bool Run::spend_bytes(int line, std::size_t bytes) {
  bytes_ += std::min(bytes, kMaxBytesTouched);
  if (bytes_ >= kMaxBytesTouched) {
    fail(line, "it goes through more than " + std::to_string(kMaxBytesTouched >> 20U) +
                   " MiB of text, the most allowed");
  }
  return !failed();
}

Value Run::text(int line, std::string text) {
  if (!spend_bytes(line, text.size())) {
    return Undefined{};
  }
  return std::make_shared<const std::string>(std::move(text));
}

Value Run::list(int line, std::vector<Value> items, bool is_tuple) {
  int nesting = 1;
  for (const Value& item : items) {
    nesting = std::max(nesting, 1 + nesting_of(item));
  }
  if (nesting > kMaxNesting) {
    return fail(line, "it nests lists more than " + std::to_string(kMaxNesting) + " deep");
  }
  if (!spend_bytes(line, items.size() * sizeof(Value))) {
    return Undefined{};
  }
  return std::make_shared<const List>(List{std::move(items), is_tuple, nesting});
}

Value Run::map(int line, std::vector<std::pair<std::string, Value>> entries) {
  int nesting = 1;
  for (const auto& entry : entries) {
    nesting = std::max(nesting, 1 + nesting_of(entry.second));
  }
  if (nesting > kMaxNesting) {
    return fail(line, "it nests mappings more than " + std::to_string(kMaxNesting) + " deep");
  }
  if (!spend_bytes(line, entries.size() * sizeof(entries[0]))) {
    return Undefined{};
  }
  return std::make_shared<const Map>(Map{std::move(entries), nesting});
}

}  // namespace lathe::jinja
