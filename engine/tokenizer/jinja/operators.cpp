// See operators.h.
#include "engine/tokenizer/jinja/operators.h"

#include <algorithm>

#include "engine/tokenizer/jinja/text.h"

namespace lathe::jinja {
namespace {

// Pays for a search that compares at each place, as find() does in the worst case.
bool spend_search(Run& run, int line, std::string_view text, std::string_view part) {
  constexpr std::size_t kBytesAtOnce = 64;
  return run.spend_bytes(line, text.size() * (1 + part.size() / kBytesAtOnce));
}

bool contains(Run& run, int line, const Value& whole, const Value& part) {
  if (const std::string* text = text_in(whole)) {
    const std::string* wanted = text_in(part);
    if (wanted == nullptr) {
      run.fail(line, std::string(type_name(part)) + " cannot be looked for in a string");
      return false;
    }
    return spend_search(run, line, *text, *wanted) && text->find(*wanted) != std::string::npos;
  }
  if (const Map* map = map_in(whole)) {
    const std::string* key = text_in(part);
    return key != nullptr && map->find(*key) != nullptr;
  }
  if (const List* list = list_in(whole)) {
    return std::any_of(list->items.begin(), list->items.end(), [&](const Value& item) {
      return !run.failed() && is_equal(run, line, item, part);
    });
  }
  if (!is_undefined(whole)) {
    run.fail(line, "nothing can be looked for in " + std::string(type_name(whole)));
  }
  return false;
}

bool is_less(Run& run, int line, const Value& left, const Value& right) {
  const std::string* left_text = text_in(left);
  const std::string* right_text = text_in(right);
  if (left_text != nullptr && right_text != nullptr) {
    return run.spend_bytes(line, std::min(left_text->size(), right_text->size())) &&
           *left_text < *right_text;
  }
  const auto left_integer = integer_in(left);
  const auto right_integer = integer_in(right);
  if (!left_integer || !right_integer) {
    run.fail(line, std::string(type_name(left)) + " and " + std::string(type_name(right)) +
                       " have no order");
    return false;
  }
  return *left_integer < *right_integer;
}

bool lists_equal(Run& run, int line, const List& left, const List& right) {
  if (left.is_tuple != right.is_tuple || left.items.size() != right.items.size()) {
    return false;
  }
  for (std::size_t i = 0; i < left.items.size(); ++i) {
    if (run.failed() || !is_equal(run, line, left.items[i], right.items[i])) {
      return false;
    }
  }
  return true;
}

bool maps_equal(Run& run, int line, const Map& left, const Map& right) {
  if (left.entries.size() != right.entries.size()) {
    return false;
  }
  for (const auto& [key, value] : left.entries) {
    const Value* other = right.find(key);
    if (run.failed() || other == nullptr || !is_equal(run, line, value, *other)) {
      return false;
    }
  }
  return true;
}

Value joined(Run& run, int line, const Value& left, const Value& right) {
  const List* left_list = list_in(left);
  const List* right_list = list_in(right);
  if (left_list != nullptr && right_list != nullptr &&
      left_list->is_tuple == right_list->is_tuple) {
    std::vector<Value> items = left_list->items;
    items.insert(items.end(), right_list->items.begin(), right_list->items.end());
    return run.list(line, std::move(items), left_list->is_tuple);
  }
  return run.fail(line, "'+' joins two strings or adds two integers, not " +
                            std::string(type_name(left)) + " and " + std::string(type_name(right)));
}

// As Python has it: the result has the sign of the divisor.
std::int64_t remainder(std::int64_t left, std::int64_t right) {
  if (right == -1) {  // the processor's division overflows for the smallest integer
    return 0;
  }
  const std::int64_t rest = left % right;
  return rest != 0 && (rest < 0) != (right < 0) ? rest + right : rest;
}

// Where a bound of a slice lies, from `low` to `high`.
std::int64_t place(std::optional<std::int64_t> bound, std::int64_t otherwise, std::int64_t count,
                   std::int64_t low, std::int64_t high) {
  if (!bound) {
    return otherwise;
  }
  return std::clamp(*bound < 0 ? *bound + count : *bound, low, high);
}

// The places that Python's slice.indices() gives.
std::vector<std::size_t> places_of(const SliceBounds& bounds, std::int64_t count) {
  const bool forward = bounds.step > 0;
  const std::int64_t low = forward ? 0 : -1;
  const std::int64_t high = forward ? count : count - 1;
  const std::int64_t end = place(bounds.end, forward ? count : -1, count, low, high);
  // A step beyond the count goes outside at once, whatever its size.
  const std::int64_t step = std::clamp(bounds.step, -count - 1, count + 1);
  std::vector<std::size_t> places;
  for (std::int64_t i = place(bounds.first, forward ? 0 : count - 1, count, low, high);
       forward ? i < end : i > end; i += step) {
    places.push_back(static_cast<std::size_t>(i));
  }
  return places;
}

}  // namespace

std::string to_text(Run& run, int line, const Value& value) {
  if (const std::string* text = text_in(value)) {
    run.spend_bytes(line, text->size());
    return *text;
  }
  if (const auto* flag = std::get_if<bool>(&value)) {
    return *flag ? "True" : "False";
  }
  if (const auto* integer = std::get_if<std::int64_t>(&value)) {
    return std::to_string(*integer);
  }
  if (std::holds_alternative<None>(value)) {
    return "None";
  }
  if (!is_undefined(value)) {
    run.fail(line, "writing " + std::string(type_name(value)) + " as text is not known here");
  }
  return "";
}

Value arithmetic(Run& run, int line, std::string_view name, const Value& left, const Value& right) {
  const auto a = integer_in(left);
  const auto b = integer_in(right);
  if (!a || !b) {
    const std::string* left_text = text_in(left);
    const std::string* right_text = text_in(right);
    if (name == "+" && left_text != nullptr && right_text != nullptr) {
      return run.text(line, *left_text + *right_text);
    }
    return name == "+"
               ? joined(run, line, left, right)
               : run.fail(line, quoted(name) + " of " + std::string(type_name(left)) + " and " +
                                    std::string(type_name(right)) + " is not known here");
  }
  std::int64_t result = 0;
  if (name == "%" && *b == 0) {
    return run.fail(line, "there is no remainder of a division by zero");
  }
  const bool overflow = name == "+"   ? __builtin_add_overflow(*a, *b, &result)
                        : name == "-" ? __builtin_sub_overflow(*a, *b, &result)
                                      : false;
  if (overflow) {
    return run.fail(line, "an integer does not fit in 64 bits");
  }
  return name == "%" ? remainder(*a, *b) : result;
}

Value negated(Run& run, int line, const Value& value) {
  const auto integer = integer_in(value);
  if (!integer) {
    return run.fail(line, "'-' needs an integer, not " + std::string(type_name(value)));
  }
  return arithmetic(run, line, "-", Value(std::int64_t{0}), Value(*integer));
}

bool is_equal(Run& run, int line, const Value& left, const Value& right) {
  if (!run.spend_steps(line, 1)) {
    return false;
  }
  const auto a = integer_in(left);
  const auto b = integer_in(right);
  if (a || b) {
    return a == b;
  }
  if (left.index() != right.index()) {
    return false;
  }
  if (const std::string* text = text_in(left)) {
    const std::string& other = *text_in(right);
    return text->size() == other.size() && run.spend_bytes(line, text->size()) && *text == other;
  }
  if (const List* list = list_in(left)) {
    return lists_equal(run, line, *list, *list_in(right));
  }
  if (const Map* map = map_in(left)) {
    return maps_equal(run, line, *map, *map_in(right));
  }
  return left == right;
}

bool compare(Run& run, int line, std::string_view name, const Value& left, const Value& right) {
  if (name == "==" || name == "!=") {
    return is_equal(run, line, left, right) == (name == "==");
  }
  if (name == "in" || name == "not in") {
    return contains(run, line, right, left) == (name == "in");
  }
  if (name == "<" || name == ">=") {
    return is_less(run, line, left, right) == (name == "<");
  }
  return is_less(run, line, right, left) == (name == ">");
}

std::vector<Value> items_of(Run& run, int line, const Value& value) {
  std::vector<Value> items;
  if (const List* list = list_in(value)) {
    run.spend_bytes(line, list->items.size() * sizeof(Value));
    return list->items;
  }
  if (const Map* map = map_in(value)) {
    for (const auto& entry : map->entries) {
      items.push_back(run.text(line, entry.first));
    }
  } else if (const std::string* text = text_in(value)) {
    constexpr std::size_t kBytesPerCharacter = 64;  // of memory, as a value of its own
    if (run.spend_bytes(line, text->size() * kBytesPerCharacter)) {
      for (const std::string_view character : characters(*text)) {
        items.push_back(run.text(line, std::string(character)));
      }
    }
  } else if (!is_undefined(value)) {
    run.fail(line, "nothing can go over " + std::string(type_name(value)));
  }
  return items;
}

Value item_at(Run& run, int line, const Value& value, const Value& key) {
  if (const Map* map = map_in(value)) {
    const std::string* name = text_in(key);
    const Value* found = name != nullptr ? map->find(*name) : nullptr;
    return found != nullptr ? *found : Undefined{};
  }
  if (is_undefined(value)) {
    return run.fail(line, "an item is asked of an undefined value");
  }
  const auto index = integer_in(key);
  if (!index || (list_in(value) == nullptr && text_in(value) == nullptr)) {
    return Undefined{};
  }
  if (const List* list = list_in(value)) {
    const auto count = static_cast<std::int64_t>(list->items.size());
    const std::int64_t at = *index < 0 ? *index + count : *index;
    return at >= 0 && at < count ? list->items[static_cast<std::size_t>(at)] : Undefined{};
  }
  const std::string& text = *text_in(value);
  if (!run.spend_bytes(line, text.size() * sizeof(std::string_view))) {
    return Undefined{};
  }
  const std::vector<std::string_view> all = characters(text);
  const auto count = static_cast<std::int64_t>(all.size());
  const std::int64_t at = *index < 0 ? *index + count : *index;
  return at >= 0 && at < count ? run.text(line, std::string(all[static_cast<std::size_t>(at)]))
                               : Undefined{};
}

Value slice(Run& run, int line, const Value& value, const SliceBounds& bounds) {
  if (bounds.step == 0) {
    return run.fail(line, "the step of a slice is 0");
  }
  if (const List* list = list_in(value)) {
    std::vector<Value> items;
    for (const std::size_t at : places_of(bounds, static_cast<std::int64_t>(list->items.size()))) {
      items.push_back(list->items[at]);
    }
    return run.list(line, std::move(items), list->is_tuple);
  }
  const std::string* text = text_in(value);
  if (text == nullptr) {
    return run.fail(line, "a slice needs a list or a string, not " + std::string(type_name(value)));
  }
  if (!run.spend_bytes(line, text->size() * sizeof(std::string_view))) {
    return Undefined{};
  }
  const std::vector<std::string_view> all = characters(*text);
  std::string out;
  for (const std::size_t at : places_of(bounds, static_cast<std::int64_t>(all.size()))) {
    out += all[at];
  }
  return run.text(line, std::move(out));
}

}  // namespace lathe::jinja
