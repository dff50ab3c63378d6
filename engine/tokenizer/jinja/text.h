// Text as Python counts it: in characters, with Python's idea of white space.
#pragma once

#include <string>
#include <string_view>
#include <vector>

namespace lathe::jinja {

// The characters of the text; a byte that is not part of well-formed UTF-8 is one by itself.
std::vector<std::string_view> characters(std::string_view text);
std::size_t character_count(std::string_view text);

// What str.isspace holds for.
bool is_space(std::string_view character);

// The text without the characters at its ends that are in `set`, or white space where it is empty.
std::string_view strip_left(std::string_view text, std::string_view set = {});
std::string_view strip_right(std::string_view text, std::string_view set = {});

void append_utf8(std::string& out, char32_t code);

}  // namespace lathe::jinja
