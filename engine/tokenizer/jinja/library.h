// The filters, tests and methods that chat templates find, each in a table of its kind. What is not
// in the table fails the run by its name.
#pragma once

#include <span>
#include <string_view>

#include "engine/tokenizer/jinja/value.h"

namespace lathe::jinja {

// One use of a filter, test or method.
struct Call {
  Run& run;
  int line = 1;
  std::string_view name;
  const Value& self;  // the filter's input, what is tested, the method's object
  std::span<const Value> arguments;
};

Value apply_filter(const Call& call);
bool apply_test(const Call& call);
Value call_method(const Call& call);

// Whether Python's type of this value has a method of this name: `value.name` is then that method
// and not undefined.
bool has_method(const Value& value, std::string_view name);

}  // namespace lathe::jinja
