// Text of data sets, before any tokenizer: white space as Python knows it, old encodings.
#pragma once

#include <cstddef>
#include <string>
#include <string_view>

namespace lathe {

// The code point at `at`, which moves behind it. Precondition: at < text.size(), valid UTF-8.
char32_t next_code_point(std::string_view text, std::size_t& at);

// Python's str.isspace().
bool is_space(char32_t c);

// Bytes of ISO 8859-1 as UTF-8.
std::string latin1_as_utf8(std::string_view bytes);

// Without white space at its end, or at both ends.
std::string_view strip_right(std::string_view text);
std::string_view strip(std::string_view text);

}  // namespace lathe
