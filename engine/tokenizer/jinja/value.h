// The values of a chat template, and what one rendering may use of time and memory.
#pragma once

#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <variant>
#include <vector>

#include "engine/base/result.h"

namespace lathe::jinja {

// Bounds on what a template, which comes from a stranger's file, can make us do. Published
// templates stay below a hundredth of each.
constexpr std::size_t kMaxSourceBytes = 256U << 10U;
constexpr std::size_t kMaxNameBytes = 128;
constexpr int kMaxNesting = 64;  // of expressions, of statements and of lists in lists
constexpr std::size_t kMaxSteps = 2'000'000;
constexpr std::size_t kMaxBytesTouched = 256U << 20U;  // copied, compared or searched
constexpr std::size_t kMaxOutputBytes = 16U << 20U;

struct List;
struct Map;
struct Undefined {
  friend bool operator==(Undefined, Undefined) { return true; }
};
struct None {
  friend bool operator==(None, None) { return true; }
};
// Which of the rendering's namespaces. They can change, so they are not held by values: a namespace
// that holds itself would never be freed.
struct NamespaceId {
  std::size_t index = 0;
  friend bool operator==(NamespaceId, NamespaceId) = default;
};

using Text = std::shared_ptr<const std::string>;
using ListPtr = std::shared_ptr<const List>;
using MapPtr = std::shared_ptr<const Map>;
using Value = std::variant<Undefined, None, bool, std::int64_t, Text, ListPtr, MapPtr, NamespaceId>;

struct List {
  std::vector<Value> items;
  bool is_tuple = false;
  int nesting = 1;
};

// In the order of insertion, as in Python. The maps here have few keys.
struct Map {
  std::vector<std::pair<std::string, Value>> entries;
  int nesting = 1;

  const Value* find(std::string_view key) const;
};

// The parts of a value, null where it is of another type.
const std::string* text_in(const Value& value);
const List* list_in(const Value& value);
const Map* map_in(const Value& value);
// An integer, or true and false as 1 and 0, as Python counts them.
std::optional<std::int64_t> integer_in(const Value& value);

bool is_undefined(const Value& value);
bool is_true(const Value& value);
// "a string", "a list": for messages.
std::string_view type_name(const Value& value);

// For messages: at most 200 bytes, control characters as spaces.
std::string shown(std::string_view text);
// The name between single quotes.
std::string quoted(std::string_view name);

// One rendering: how much it has used, and its first failure. After a failure everything goes on
// with undefined values until the loops, which ask failed(), have ended.
class Run {
 public:
  bool failed() const { return error_.has_value(); }
  const Error& error() const { return *error_; }

  // Keeps the first failure; always undefined.
  Value fail(int line, const std::string& what, ErrorKind kind = ErrorKind::kData);

  // False, and failed(), once more is used than allowed.
  bool spend_steps(int line, std::size_t steps);
  bool spend_bytes(int line, std::size_t bytes);

  // New values, paid for; undefined where that fails.
  Value text(int line, std::string text);
  Value list(int line, std::vector<Value> items, bool is_tuple = false);
  Value map(int line, std::vector<std::pair<std::string, Value>> entries);

 private:
  std::size_t steps_ = 0;
  std::size_t bytes_ = 0;
  std::optional<Error> error_;
};

// The error of a template's line.
Error template_error(int line, const std::string& what, ErrorKind kind = ErrorKind::kData);

}  // namespace lathe::jinja
