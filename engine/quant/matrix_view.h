// A stored matrix as decoders are given it, and the plain numbers of its tables.
#pragma once

#include <cstdint>

#include "engine/quant/block_bits.h"
#include "engine/tensor/dtype.h"

namespace lathe {

// A matrix as it lies in memory or in a file, of any type that weights are stored in.
struct StoredMatrix {
  DType dtype = DType::kF32;
  const unsigned char* data = nullptr;
  std::int64_t rows = 0, cols = 0;
};

namespace block {

[[gnu::always_inline]] inline float float_at(const Byte* from) {
  float value = 0;
  __builtin_memcpy(&value, from, sizeof value);
  return value;
}

[[gnu::always_inline]] inline std::uint32_t long_word_at(const Byte* from) {
  std::uint32_t word = 0;
  __builtin_memcpy(&word, from, sizeof word);
  return word;
}

}  // namespace block
}  // namespace lathe
