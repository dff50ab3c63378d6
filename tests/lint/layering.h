// Who may include whom. The order of layers is engine < experiments < storage < ui < app, and
// inside the engine base < tensor < ops < backend < nn < {methods, optim, data, tokenizer, io} <
// train.
#pragma once

#include <string>
#include <string_view>

namespace lathe::lint {

// Why the file at `path` must not include `target` (a path from the root, as in #include "target"),
// or an empty string where it may.
std::string forbidden_include(std::string_view path, std::string_view target);

// The same for a header of a library, as in #include <target>.
std::string forbidden_library(std::string_view path, std::string_view target);

}  // namespace lathe::lint
