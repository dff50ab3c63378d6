// The escapes in a template's string literals, which are those of Python.
#pragma once

#include <string>
#include <string_view>

#include "engine/base/result.h"

namespace lathe::jinja {

// What the literal with this text between its quotes stands for. An escape that Python does not
// know stays as it is; kData for \N{...}, for digits that are missing and for halves of characters.
Result<std::string> unescaped(std::string_view text, int line);

}  // namespace lathe::jinja
