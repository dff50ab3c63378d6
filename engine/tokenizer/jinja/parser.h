// Makes a program of a chat template's tokens.
#pragma once

#include <string_view>

#include "engine/base/result.h"
#include "engine/tokenizer/jinja/syntax.h"

namespace lathe::jinja {

// kData with the line where the source is not a template, is too large or too deeply nested, or
// uses a statement, operator or literal that is not known here.
Result<Program> parse_program(std::string_view source);

}  // namespace lathe::jinja
