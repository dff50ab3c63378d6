// The characters that stand for bytes in the vocabularies of byte-level BPE (GPT-2's published
// encoder): printable ones for themselves, the others for 256 and up, so that every token is text.
#pragma once

#include <optional>
#include <string>
#include <string_view>

namespace lathe {

// The UTF-8 text of the character that stands for a byte.
const std::string& byte_symbol(unsigned char byte);

// The bytes of a token in that writing; none where a character stands for no byte.
std::optional<std::string> bytes_of_symbols(std::string_view token);

}  // namespace lathe
