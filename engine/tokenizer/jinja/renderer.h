// Runs the statements of a chat template.
#pragma once

#include <string>
#include <utility>
#include <vector>

#include "engine/tokenizer/jinja/syntax.h"

namespace lathe::jinja {

using Variables = std::vector<std::pair<std::string, Value>>;

// The output; an error where the run fails, which may have failed before. No program and no values
// make it use more than the bounds in value.h.
Result<std::string> render_program(const Program& program, const Variables& variables, Run& run);

}  // namespace lathe::jinja
