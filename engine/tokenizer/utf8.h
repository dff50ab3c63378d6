// Walking through text that may or may not be UTF-8.
#pragma once

#include <cstddef>
#include <string_view>

namespace lathe {

// Bytes of the well-formed character at `at` (1 to 4; no surrogates, no overlong forms), 0 if there
// is none. Precondition: at < text.size().
std::size_t utf8_length(std::string_view text, std::size_t at);

// Whether all of it is well-formed.
bool is_utf8(std::string_view text);

// How many bytes at the end of `text` begin a character that is not complete yet (0 to 3).
std::size_t unfinished_utf8(std::string_view text);

}  // namespace lathe
