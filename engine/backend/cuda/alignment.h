// Whether tensors lie so that kernels may move packs of floats (device/pack.cuh).
#pragma once

#include <cstdint>
#include <initializer_list>

namespace lathe::LATHE_GPU {

// Null pointers are of no consequence.
inline bool aligned_to(std::uintptr_t bytes, std::initializer_list<const void*> addresses) {
  std::uintptr_t low_bits = 0;
  for (const void* address : addresses) {
    low_bits |= reinterpret_cast<std::uintptr_t>(address) % bytes;
  }
  return low_bits == 0;
}
inline bool aligned_to_fours(std::initializer_list<const void*> addresses) {
  return aligned_to(16, addresses);
}

}  // namespace lathe::LATHE_GPU
