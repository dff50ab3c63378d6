// Stored blocks of 256 to floats in registers, sixteen elements per lane; decode.cuh says how a
// decoder is used.
#pragma once

#include "engine/backend/cuda/device/decode.cuh"

namespace lathe::LATHE_GPU {

struct Part256 {
  static constexpr int kLanes = 16, kGroups = 4, kWidth = 4;
};

// q4_k, q5_k: 32 nibble bytes hold two sub-blocks of 32; a lane takes eight of them, two groups of
// each sub-block.
struct Pair256 : Part256 {
  static constexpr int kAlignment = 16;
  static constexpr bool kMin = true;
  __device__ static int element(int lane, int group) {
    return 64 * (lane / 4) + 32 * (group / 2) + 8 * (lane % 4) + 4 * (group % 2);
  }
  // d and dmin times the 6-bit numbers of sub-blocks 2 pair and 2 pair + 1. Of the twelve bytes
  // that hold these, byte j and byte j + 4 begin with the step and the minimum of j < 4; bytes 8 to
  // 11 hold the low nibbles of the later ones, whose upper two bits are those left in the first
  // eight.
  __device__ void unpack(const uint4& head, int pair) {
    const int shift = 16 * (pair % 2);
    const unsigned first = head.y >> shift, second = head.z >> shift, third = head.w >> shift;
    const bool early = pair < 2;
    const unsigned wide = early ? first : (third & 0x0f0fu) | (first >> 2 & 0x3030u);
    const unsigned wide_min = early ? second : (third >> 4 & 0x0f0fu) | (second >> 2 & 0x3030u);
    for (int i = 0; i < 2; ++i) {
      steps[i] = half_of(head.x) * number_at(wide, 8 * i, 63, 0.0f);
      mins[i] = -(half_of(head.x >> 16) * number_at(wide_min, 8 * i, 63, 0.0f));
    }
  }
  __device__ float scale(int group) const { return steps[group / 2]; }
  __device__ float min(int group) const { return mins[group / 2]; }

  float steps[2], mins[2];
};

struct Q4_K : Layout<DType::kQ4_K>, Pair256 {
  __device__ void load(const Byte* block, int lane) {
    unpack(load_as<uint4>(block), lane / 4);
    nibbles = load_as<uint2>(block + 16 + 8 * lane);
  }
  __device__ void levels(int group, float* out) const {
    byte_numbers(group % 2 == 0 ? nibbles.x : nibbles.y, 4 * (group / 2), 15, 0.0f, out);
  }

  uint2 nibbles;
};

// Bit j of byte i of the 32 before the nibbles is the fifth of element 32 j + i.
struct Q5_K : Layout<DType::kQ5_K>, Pair256 {
  __device__ void load(const Byte* block, int lane) {
    unpack(load_as<uint4>(block), lane / 4);
    fifth = load_as<uint2>(block + 16 + 8 * (lane % 4));
    fifth.x >>= 2 * (lane / 4);
    fifth.y >>= 2 * (lane / 4);
    nibbles = load_as<uint2>(block + 48 + 8 * lane);
  }
  __device__ void levels(int group, float* out) const {
    const unsigned low = (group % 2 == 0 ? nibbles.x : nibbles.y) >> 4 * (group / 2);
    const unsigned high = (group % 2 == 0 ? fifth.x : fifth.y) >> group / 2;
    byte_numbers((low & 0x0f0f0f0fu) | (high & 0x01010101u) << 4, 0, 31, 0.0f, out);
  }

  uint2 fifth, nibbles;
};

// 128 bytes of low nibbles, 64 of upper pairs of bits, sixteen int8 scales, d. A lane takes four
// bytes of pairs, one group of each quarter of a half block.
struct Q6_K : Layout<DType::kQ6_K>, Part256 {
  static constexpr int kAlignment = 2;
  static constexpr bool kMin = false;
  __device__ static int element(int lane, int group) {
    return 128 * (lane / 8) + 32 * group + 4 * (lane % 8);
  }
  __device__ void load(const Byte* block, int lane) {
    const int half = lane / 8, start = 4 * (lane % 8);
    nibbles[0] = two_words_at(block + 64 * half + start);
    nibbles[1] = two_words_at(block + 64 * half + 32 + start);
    upper = two_words_at(block + 128 + 32 * half + start);
    const float d = half_of(word_at(block + 208));
    for (int group = 0; group < kGroups; ++group) {
      const unsigned byte = block[192 + 8 * half + 2 * group + start / 16];
      steps[group] = d * number_at(byte ^ 128u, 0, 255, 128.0f);
    }
  }
  __device__ void levels(int group, float* out) const {
    const unsigned low = nibbles[group % 2] >> 4 * (group / 2) & 0x0f0f0f0fu;
    byte_numbers(low | (upper >> 2 * group & 0x03030303u) << 4, 0, 63, 32.0f, out);
  }
  __device__ float scale(int group) const { return steps[group]; }

  unsigned nibbles[2], upper;
  float steps[kGroups];
};

}  // namespace lathe::LATHE_GPU
