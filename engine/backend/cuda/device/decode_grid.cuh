// NF4 and groups of 2- to 8-bit levels to floats in registers; the conventions are those of
// decode.cuh. Layouts as in engine/quant/block_decode.h, bits as decode_row() gives them.
#pragma once

#include "engine/backend/cuda/device/decode.cuh"

namespace lathe::LATHE_GPU {

// An f32 scale and 32 bytes; a lane takes four of them: eight neighbours, the first of a byte in
// its upper half.
struct Nf4 : Layout<DType::kNf4> {
  static constexpr int kLanes = 8, kGroups = 2, kWidth = 4;
  static constexpr int kAlignment = 4;
  static constexpr bool kMin = false;
  __device__ static int element(int lane, int group) { return 8 * lane + 4 * group; }

  __device__ void load(const Byte* block, int lane) {
    step = __uint_as_float(load_as<unsigned>(block));
    nibbles = load_as<unsigned>(block + 4 + 4 * lane);
  }
  __device__ void levels(int group, float* out) const {
    for (int j = 0; j < 4; ++j) {
      out[j] = level(nibbles >> (16 * group + 8 * (j / 2) + (j % 2 == 0 ? 4 : 0)) & 15u);
    }
  }
  __device__ float scale(int) const { return step; }

  // kNf4Levels (engine/quant/nf4.h), by bits: a table would be read from memory.
  __device__ static float level(unsigned code) {
    const auto pick = [code](unsigned bit, float low, float high) {
      return (code & bit) != 0 ? high : low;
    };
    const auto four = [&](float a, float b, float c, float d) {
      return pick(2, pick(1, a, b), pick(1, c, d));
    };
    return pick(8,
                pick(4, four(-1.0f, -0.69619280f, -0.52507305f, -0.39491749f),
                     four(-0.28444138f, -0.18477343f, -0.09105004f, 0.0f)),
                pick(4, four(0.07958030f, 0.16093020f, 0.24611230f, 0.33791524f),
                     four(0.44070983f, 0.56261700f, 0.72295684f, 1.0f)));
  }

  float step;
  unsigned nibbles;
};

// Eight codes of a run of 32 in planes of nibbles, pairs and single bits; four lanes to a run, as
// Part32.
template <int kBits>
struct PlaneCodes {
  static constexpr int kNibbles = kBits >= 4 ? 4 : 0;
  static constexpr int kUpper = kBits - kNibbles;  // bits above the first nibble
  __device__ static int element(int lane, int group) {
    return 32 * (lane / 4) + 16 * group + 4 * (lane % 4);
  }

  // `plane`: of the first run of the block.
  __device__ void load(const Byte* plane, int lane) {
    part = lane % 4;
    plane += 4 * kBits * (lane / 4);
    if constexpr (kNibbles > 0) {
      nibbles = load_as<unsigned>(plane + 4 * part);
      plane += 16;
    }
    if constexpr (kUpper == 4) {
      pairs = load_as<unsigned>(plane + 4 * part);
    } else if constexpr (kUpper >= 2) {
      pairs = load_as<unsigned>(plane + 4 * (part % 2));
      plane += 8;
    }
    if constexpr (kUpper % 2 == 1) {
      singles = load_as<unsigned>(plane);
    }
  }
  // A code per byte.
  __device__ unsigned codes_of(int group) const {
    unsigned codes = 0;
    if constexpr (kNibbles > 0) {
      codes = nibbles >> 4 * group & 0x0f0f0f0fu;
    }
    if constexpr (kUpper == 4) {
      codes |= (pairs >> 4 * group & 0x0f0f0f0fu) << 4;
    } else if constexpr (kUpper >= 2) {
      codes |= (pairs >> 2 * (2 * group + part / 2) & 0x03030303u) << kNibbles;
    }
    if constexpr (kUpper % 2 == 1) {
      const unsigned four = singles >> (16 * group + 4 * part) & 15u;
      codes |= (four * 0x00204081u & 0x01010101u) << (kBits - 1);
    }
    return codes;
  }

  unsigned nibbles, pairs, singles;
  int part;
};

// An intB_gG: scale and offset, then runs of 32.
template <DType kType>
struct Group : Layout<kType> {
  static constexpr int kBits = group_form(kType).bits;
  static constexpr int kLanes = group_form(kType).group / 8, kGroups = 2, kWidth = 4;
  static constexpr int kAlignment = 4;
  static constexpr bool kMin = true;
  __device__ static int element(int lane, int group) {
    return PlaneCodes<kBits>::element(lane, group);
  }

  __device__ void load(const Byte* block, int lane) {
    head = load_as<unsigned>(block);
    codes.load(block + 4, lane);
  }
  __device__ void levels(int group, float* out) const {
    byte_numbers(codes.codes_of(group), 0, 255, static_cast<float>(1 << (kBits - 1)), out);
  }
  __device__ float scale(int) const { return half_of(head); }
  __device__ float min(int) const { return half_of(head >> 16); }

  unsigned head;
  PlaneCodes<kBits> codes;
};

}  // namespace lathe::LATHE_GPU
