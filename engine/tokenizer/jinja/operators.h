// What the operators of a chat template do with values; they follow Python. Each fails the run,
// naming the types, where Python would raise TypeError.
#pragma once

#include <string>
#include <string_view>

#include "engine/tokenizer/jinja/value.h"

namespace lathe::jinja {

// Optional bounds of a slice.
struct SliceBounds {
  std::optional<std::int64_t> first;
  std::optional<std::int64_t> end;
  std::int64_t step = 1;
};

// What {{ }} and ~ make of a value. Lists and mappings are refused: nobody wants Python's notation.
std::string to_text(Run& run, int line, const Value& value);

// + - %
Value arithmetic(Run& run, int line, std::string_view name, const Value& left, const Value& right);
Value negated(Run& run, int line, const Value& value);

// == != < <= > >= in "not in"
bool compare(Run& run, int line, std::string_view name, const Value& left, const Value& right);
bool is_equal(Run& run, int line, const Value& left, const Value& right);

// The items of a list, the characters of a string or the keys of a mapping; none of an undefined
// value.
std::vector<Value> items_of(Run& run, int line, const Value& value);

// value[key]; undefined where there is no such item.
Value item_at(Run& run, int line, const Value& value, const Value& key);
Value slice(Run& run, int line, const Value& value, const SliceBounds& bounds);

}  // namespace lathe::jinja
