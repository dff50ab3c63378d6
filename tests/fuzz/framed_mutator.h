// Changes to a file of length, header and data that leave the length true: by chance alone few
// changed headers would be read to their end.
#pragma once

#include <cstddef>
#include <cstdint>
#include <cstring>
#include <vector>

// libFuzzer's own mutation.
extern "C" std::size_t LLVMFuzzerMutate(std::uint8_t* data, std::size_t size, std::size_t most);

namespace lathe::fuzz {

inline std::size_t mutate_framed(std::uint8_t* data, std::size_t size, std::size_t most,
                                 unsigned seed) {
  constexpr std::size_t kLengthBytes = 8;
  std::uint64_t length = 0;
  if (seed % 4 == 0 || size < kLengthBytes) {
    return LLVMFuzzerMutate(data, size, most);
  }
  std::memcpy(&length, data, kLengthBytes);
  if (length > size - kLengthBytes) {
    return LLVMFuzzerMutate(data, size, most);
  }
  const std::vector<std::uint8_t> behind(data + kLengthBytes + length, data + size);
  const std::size_t room = most - kLengthBytes - behind.size();
  length = LLVMFuzzerMutate(data + kLengthBytes, length, room);
  std::memcpy(data, &length, kLengthBytes);
  if (!behind.empty()) {
    std::memcpy(data + kLengthBytes + length, behind.data(), behind.size());
  }
  return kLengthBytes + length + behind.size();
}

}  // namespace lathe::fuzz
