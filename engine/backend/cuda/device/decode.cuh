// Stored numbers to floats in registers: plain ones and blocks of 32; decode_k.cuh has those of
// 256. Layouts as in engine/quant/block_decode.h, bits as decode_row() gives them: a level times a
// step fits into a float's 24 bits (save in q6_k, which adds nothing to it), so that fused and
// separate operations agree.
#pragma once

#include "engine/backend/cuda/device/grid.cuh"
#include "engine/tensor/dtype.h"

namespace lathe::LATHE_GPU {

using Byte = unsigned char;

// A stored matrix, whole: what decoders of types with tables (kTables) load from.
struct MatrixView {
  const Byte* data;
  Index rows, width;
  int palette_bits = 0;  // 0: another type
};

// Every decoder: a part of a block, which kLanes lanes share, is kGroups groups of kWidth
// neighbours; group g begins at element(lane, g) of the block. An element is
// level * scale(g) + min(g), without the last where kMin is false. load() needs blocks on
// addresses that are multiples of kAlignment; with kTables it takes the matrix, the row and the
// block's place in it.

template <typename T>
__device__ inline T load_as(const Byte* from) {
  return *static_cast<const T*>(static_cast<const void*>(from));
}
__device__ inline unsigned word_at(const Byte* from) {
  return load_as<unsigned short>(from);
}
__device__ inline unsigned two_words_at(const Byte* from) {
  return word_at(from) | word_at(from + 2) << 16;
}
__device__ inline float half_of(unsigned bits) {
  return __half2float(__ushort_as_half(static_cast<unsigned short>(bits)));
}

// The unsigned number in the bits mask << shift of a word, below bit 23, less `zero`; exact. In
// the mantissa of 2^(23 - shift) the last of these bits counts one: an "and or" and a subtraction,
// where a conversion would take the slow path of the processor.
__device__ inline float number_at(unsigned word, int shift, unsigned mask, float zero) {
  const unsigned one = static_cast<unsigned>(127 + 23 - shift) << 23;
  return __uint_as_float((word & mask << shift) | one) - (__uint_as_float(one) + zero);
}
// One from each byte of a word.
__device__ inline void byte_numbers(unsigned word, int shift, unsigned mask, float zero,
                                    float* out) {
  for (int j = 0; j < 4; ++j) {
    out[j] = number_at(j < 2 ? word : word >> 16, 8 * (j % 2) + shift, mask, zero);
  }
}
// Bit 4 of byte j from bit j.
__device__ inline unsigned fifth_bits(unsigned bits) {
  return (bits & 15u) * 0x00204081u << 4 & 0x10101010u;
}

template <DType kType>
struct Layout {
  static constexpr DType kDType = kType;
  static constexpr int kBlockElements = static_cast<int>(dtype_layout(kType).block_elements);
  static constexpr int kBlockBytes = static_cast<int>(dtype_layout(kType).block_bytes);
  static constexpr bool kTables = has_tables(kType);
};

// f32, f16 and bf16, kNumbers at a time: four, or one where rows begin anywhere.
template <DType kType, int kNumbers>
struct Plain {
  static constexpr DType kDType = kType;
  static constexpr int kNumberBytes = Layout<kType>::kBlockBytes;
  static constexpr int kBlockElements = kNumbers;
  static constexpr int kBlockBytes = kNumbers * kNumberBytes;
  static constexpr int kAlignment = kBlockBytes;
  static constexpr int kLanes = 1, kGroups = 1, kWidth = kNumbers;
  static constexpr bool kMin = false;
  static constexpr bool kTables = false;

  __device__ void load(const Byte* block, int) {
    if constexpr (kBlockBytes == 16) {
      const auto all = load_as<uint4>(block);
      words[0] = all.x, words[1] = all.y, words[2] = all.z, words[3] = all.w;
    } else if constexpr (kBlockBytes == 8) {
      const auto all = load_as<uint2>(block);
      words[0] = all.x, words[1] = all.y;
    } else {
      words[0] = kBlockBytes == 4 ? load_as<unsigned>(block) : word_at(block);
    }
  }
  __device__ void levels(int, float* out) const {
    for (int j = 0; j < kNumbers; ++j) {
      if constexpr (kNumberBytes == 4) {
        out[j] = __uint_as_float(words[j]);
      } else {
        const unsigned bits = words[j / 2] >> 16 * (j % 2) & 0xffffu;
        out[j] = kType == DType::kF16 ? half_of(bits) : __uint_as_float(bits << 16);
      }
    }
  }
  __device__ float scale(int) const { return 1.0f; }
  __device__ static int element(int, int) { return 0; }

  unsigned words[kBlockBytes < 4 ? 1 : kBlockBytes / 4];
};

// A block of 32: nibble byte j holds elements j and j + 16; a lane takes four such bytes.
struct Part32 {
  static constexpr int kLanes = 4, kGroups = 2, kWidth = 4;
  __device__ static int element(int lane, int group) { return 16 * group + 4 * lane; }
};

struct Q8_0 : Layout<DType::kQ8_0>, Part32 {
  static constexpr int kAlignment = 2;
  static constexpr bool kMin = false;
  __device__ void load(const Byte* block, int lane) {
    step = half_of(word_at(block));
    for (int group = 0; group < kGroups; ++group) {
      // From int8 to its distance from -128.
      words[group] = two_words_at(block + 2 + element(lane, group)) ^ 0x80808080u;
    }
  }
  __device__ void levels(int group, float* out) const {
    byte_numbers(words[group], 0, 255, 128.0f, out);
  }
  __device__ float scale(int) const { return step; }

  float step;
  unsigned words[kGroups];
};

struct Q4_0 : Layout<DType::kQ4_0>, Part32 {
  static constexpr int kAlignment = 2;
  static constexpr bool kMin = false;
  __device__ void load(const Byte* block, int lane) {
    step = half_of(word_at(block));
    nibbles = two_words_at(block + 2 + 4 * lane);
  }
  __device__ void levels(int group, float* out) const {
    byte_numbers(nibbles, 4 * group, 15, 8.0f, out);
  }
  __device__ float scale(int) const { return step; }

  float step;
  unsigned nibbles;
};

struct Q4_1 : Layout<DType::kQ4_1>, Part32 {
  static constexpr int kAlignment = 4;
  static constexpr bool kMin = true;
  __device__ void load(const Byte* block, int lane) {
    head = load_as<unsigned>(block);
    nibbles = load_as<unsigned>(block + 4 + 4 * lane);
  }
  __device__ void levels(int group, float* out) const {
    byte_numbers(nibbles, 4 * group, 15, 0.0f, out);
  }
  __device__ float scale(int) const { return half_of(head); }
  __device__ float min(int) const { return half_of(head >> 16); }

  unsigned head, nibbles;
};

struct Q5_0 : Layout<DType::kQ5_0>, Part32 {
  static constexpr int kAlignment = 2;
  static constexpr bool kMin = false;
  __device__ void load(const Byte* block, int lane) {
    step = half_of(word_at(block));
    fifth = two_words_at(block + 2) >> 4 * lane;
    nibbles = two_words_at(block + 6 + 4 * lane);
  }
  __device__ void levels(int group, float* out) const {
    const unsigned low = nibbles >> 4 * group & 0x0f0f0f0fu;
    byte_numbers(low | fifth_bits(fifth >> 16 * group), 0, 31, 16.0f, out);
  }
  __device__ float scale(int) const { return step; }

  float step;
  unsigned fifth, nibbles;
};

struct Q5_1 : Layout<DType::kQ5_1>, Part32 {
  static constexpr int kAlignment = 4;
  static constexpr bool kMin = true;
  __device__ void load(const Byte* block, int lane) {
    head = load_as<unsigned>(block);
    fifth = load_as<unsigned>(block + 4) >> 4 * lane;
    nibbles = load_as<unsigned>(block + 8 + 4 * lane);
  }
  __device__ void levels(int group, float* out) const {
    const unsigned low = nibbles >> 4 * group & 0x0f0f0f0fu;
    byte_numbers(low | fifth_bits(fifth >> 16 * group), 0, 31, 0.0f, out);
  }
  __device__ float scale(int) const { return half_of(head); }
  __device__ float min(int) const { return half_of(head >> 16); }

  unsigned head, fifth, nibbles;
};

}  // namespace lathe::LATHE_GPU
