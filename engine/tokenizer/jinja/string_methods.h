// Methods of strings in chat templates, as Python has them. Each wants a string as call.self.
#pragma once

#include "engine/tokenizer/jinja/library.h"

namespace lathe::jinja {

Value method_endswith(const Call& call);
Value method_startswith(const Call& call);
// By the call's name: strip, lstrip or rstrip; of the characters in the argument or white space.
Value method_strip(const Call& call);
// At each separator, or at runs of white space where none is given.
Value method_split(const Call& call);
// Of ASCII; other letters are refused, as their rules are not here.
Value method_lower(const Call& call);
Value method_upper(const Call& call);

}  // namespace lathe::jinja
