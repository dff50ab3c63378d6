// The numbers of the GGUF format that reader and writer share.
#pragma once

#include <cstddef>
#include <cstdint>

namespace lathe::gguf {

inline constexpr std::uint32_t kMagic = 0x46554747;  // "GGUF"
inline constexpr std::uint32_t kVersion = 3;
inline constexpr std::size_t kDefaultAlignment = 32;
inline constexpr std::size_t kMostExtents = 4;
inline constexpr std::size_t kLongestName = 63;

// The types of values, by their numbers.
enum ValueType : std::uint32_t {
  kU8,
  kI8,
  kU16,
  kI16,
  kU32,
  kI32,
  kF32,
  kBool,
  kText,
  kArray,
  kU64,
  kI64,
  kF64
};

constexpr std::size_t padded(std::size_t bytes, std::size_t alignment) {
  return (bytes + alignment - 1) / alignment * alignment;
}

}  // namespace lathe::gguf
