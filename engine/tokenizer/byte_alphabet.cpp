// See byte_alphabet.h.
#include "engine/tokenizer/byte_alphabet.h"

#include <array>
#include <unordered_map>

#include "engine/tokenizer/utf8.h"

namespace lathe {
namespace {

// Bytes that are a printable character of Latin-1 stand for themselves.
bool is_printable(unsigned byte) {
  return (byte >= 0x21 && byte <= 0x7E) || (byte >= 0xA1 && byte <= 0xAC) || byte >= 0xAE;
}

// All code points here are below 0x800.
std::string utf8_of(unsigned code) {
  if (code < 0x80) {
    return std::string(1, static_cast<char>(code));
  }
  return {static_cast<char>(0xC0U | (code >> 6U)), static_cast<char>(0x80U | (code & 0x3FU))};
}

std::array<std::string, 256> make_symbols() {
  std::array<std::string, 256> symbols;
  unsigned next = 256;
  for (unsigned byte = 0; byte < 256; ++byte) {
    symbols[byte] = utf8_of(is_printable(byte) ? byte : next++);
  }
  return symbols;
}

const std::array<std::string, 256>& symbols() {
  static const std::array<std::string, 256> all = make_symbols();
  return all;
}

std::unordered_map<std::string_view, char> make_bytes() {
  std::unordered_map<std::string_view, char> bytes;
  for (unsigned byte = 0; byte < 256; ++byte) {
    bytes.emplace(symbols()[byte], static_cast<char>(byte));
  }
  return bytes;
}

}  // namespace

const std::string& byte_symbol(unsigned char byte) {
  return symbols()[byte];
}

std::optional<std::string> bytes_of_symbols(std::string_view token) {
  static const std::unordered_map<std::string_view, char> bytes = make_bytes();
  std::string out;
  for (std::size_t at = 0; at < token.size();) {
    const std::size_t length = utf8_length(token, at);
    const auto found = length == 0 ? bytes.end() : bytes.find(token.substr(at, length));
    if (found == bytes.end()) {
      return std::nullopt;
    }
    out += found->second;
    at += length;
  }
  return out;
}

}  // namespace lathe
