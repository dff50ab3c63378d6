// See string_methods.h.
#include "engine/tokenizer/jinja/string_methods.h"

#include <algorithm>

#include "engine/tokenizer/jinja/text.h"

namespace lathe::jinja {
namespace {

constexpr std::size_t kBytesPerPart = 64;  // of memory, for a part of a text beside its characters

// The only argument; null, and the run failed, where it is not a string.
const std::string* argument_of(const Call& call) {
  const std::string* text = text_in(call.arguments[0]);
  if (text == nullptr) {
    call.run.fail(call.line, quoted(call.name) + " needs a string, not " +
                                 std::string(type_name(call.arguments[0])));
  }
  return text;
}

bool has_argument(const Call& call) {
  return !call.arguments.empty() && !std::holds_alternative<None>(call.arguments[0]);
}

Value mapped(const Call& call, char first, char last) {
  constexpr char kCaseBit = 0x20;
  std::string text = *text_in(call.self);
  for (char& c : text) {
    if (static_cast<unsigned char>(c) >= 0x80) {
      return call.run.fail(call.line,
                           quoted(call.name) + " of letters outside ASCII is not known here");
    }
    c = c >= first && c <= last ? static_cast<char>(c ^ kCaseBit) : c;
  }
  return call.run.text(call.line, std::move(text));
}

// Python's split() without a separator: no empty parts.
std::vector<Value> words_of(const Call& call) {
  constexpr std::size_t kBytesPerCharacter = sizeof(std::string_view);
  const std::string& text = *text_in(call.self);
  std::vector<Value> words;
  if (!call.run.spend_bytes(call.line, text.size() * kBytesPerCharacter)) {
    return words;
  }
  std::string word;
  const auto end_word = [&] {
    if (!word.empty()) {
      call.run.spend_bytes(call.line, kBytesPerPart);
      words.push_back(call.run.text(call.line, std::exchange(word, "")));
    }
  };
  for (const std::string_view character : characters(text)) {
    if (is_space(character)) {
      end_word();
    } else {
      word += character;
    }
  }
  end_word();
  return words;
}

}  // namespace

Value method_endswith(const Call& call) {
  const std::string* end = argument_of(call);
  return end != nullptr && call.run.spend_bytes(call.line, end->size()) &&
         text_in(call.self)->ends_with(*end);
}

Value method_startswith(const Call& call) {
  const std::string* start = argument_of(call);
  return start != nullptr && call.run.spend_bytes(call.line, start->size()) &&
         text_in(call.self)->starts_with(*start);
}

Value method_strip(const Call& call) {
  const std::string* set = has_argument(call) ? argument_of(call) : nullptr;
  if (call.run.failed()) {
    return Undefined{};
  }
  std::string_view text = *text_in(call.self);
  if (set != nullptr && set->empty()) {  // no characters, so none are stripped
    return call.self;
  }
  const std::string_view wanted = set != nullptr ? std::string_view(*set) : std::string_view();
  if (!call.run.spend_bytes(call.line, text.size() * (1 + wanted.size()))) {
    return Undefined{};
  }
  text = call.name == "rstrip" ? text : strip_left(text, wanted);
  text = call.name == "lstrip" ? text : strip_right(text, wanted);
  return call.run.text(call.line, std::string(text));
}

Value method_split(const Call& call) {
  if (!has_argument(call)) {
    return call.run.list(call.line, words_of(call));
  }
  const std::string* separator = argument_of(call);
  if (separator == nullptr || separator->empty()) {
    return call.run.fail(call.line, "'split' needs a separator that is not empty");
  }
  constexpr std::size_t kBytesAtOnce = 64;  // as the comparison of the search goes on
  const std::string& text = *text_in(call.self);
  std::vector<Value> parts;
  if (!call.run.spend_bytes(call.line, text.size() * (1 + separator->size() / kBytesAtOnce))) {
    return Undefined{};
  }
  std::size_t begin = 0;
  while (!call.run.failed()) {
    call.run.spend_bytes(call.line, kBytesPerPart);
    const std::size_t end = std::min(text.find(*separator, begin), text.size());
    parts.push_back(call.run.text(call.line, text.substr(begin, end - begin)));
    if (end == text.size()) {
      break;
    }
    begin = end + separator->size();
  }
  return call.run.list(call.line, std::move(parts));
}

Value method_lower(const Call& call) {
  return mapped(call, 'A', 'Z');
}

Value method_upper(const Call& call) {
  return mapped(call, 'a', 'z');
}

}  // namespace lathe::jinja
