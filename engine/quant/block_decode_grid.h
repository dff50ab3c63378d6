// One block of NF4, or of an intB_gG, to f32: our own layouts (block_grid.h writes them). For
// block_decode.h and the kernels alone.
#pragma once

#include <cstdint>

#include "engine/quant/block_bits.h"
#include "engine/tensor/dtype.h"

namespace lathe::block {

// The codes of 32 elements in their planes, lowest bits first: nibbles, then pairs of bits, then
// single bits, as many of each as the bits are made of.
template <int kBits>
[[gnu::always_inline]] inline Levels32 codes_at(const Byte* planes) {
  Levels32 codes = {};
  if constexpr (kBits >= 4) {
    codes = nibbles_at(planes);
  }
  if constexpr (kBits == 8) {
    const Levels32 upper = nibbles_at(planes + 16);
    codes = {codes.first | upper.first << 4, codes.second | upper.second << 4};
  } else {
    constexpr int kNibbles = kBits >= 4 ? 4 : 0;
    constexpr int kPairs = kBits - kNibbles >= 2 ? 2 : 0;
    if constexpr (kPairs > 0) {
      const Levels32 pairs = pairs_at(planes + 4 * kNibbles);
      codes = {codes.first | pairs.first << kNibbles, codes.second | pairs.second << kNibbles};
    }
    if constexpr (kBits % 2 == 1) {
      constexpr int kDown = 4 - kNibbles - kPairs;  // from where fifth_bits_at() leaves them
      const Byte* const bits = planes + 4 * (kNibbles + kPairs);
      const Bytes16 first = fifth_bits_at(bits);
      const Bytes16 second = fifth_bits_at(bits + 2);
      if constexpr (kDown >= 0) {
        codes = {codes.first | first >> kDown, codes.second | second >> kDown};
      } else {
        codes = {codes.first | first << -kDown, codes.second | second << -kDown};
      }
    }
  }
  return codes;
}

// Scale, offset, then 32 elements in 4 kBits bytes each.
template <int kBits, int kGroup>
[[gnu::always_inline]] inline void decode_group(const Byte* block, float* out) {
  constexpr Byte kMiddle = 1 << (kBits - 1);
  const float scale = half_at(block);
  const float offset = half_at(block + 2);
  for (int run = 0; run < kGroup / 32; ++run) {
    const Levels32 codes = codes_at<kBits>(block + 4 + 4 * kBits * run);
    widen<true>(codes.first - kMiddle, scale, offset, out + 32 * run);
    widen<true>(codes.second - kMiddle, scale, offset, out + 32 * run + 16);
  }
}

// An f32 scale and 32 bytes: element 2 k in the upper half of byte k.
[[gnu::always_inline]] inline void decode_nf4(const Byte* block, float* out) {
  float scale = 0;
  __builtin_memcpy(&scale, block, sizeof scale);
  for (int run = 0; run < 2; ++run) {
    nf4_values(load16(block + 4 + 16 * run), scale, out + 32 * run);
  }
}

// body<kBits, kGroup>() of an intB_gG.
template <int kIndex = 0, typename Body>
[[gnu::always_inline]] inline void with_group(DType dtype, const Body& body) {
  constexpr auto kType = static_cast<DType>(static_cast<int>(DType::kGroups) + kIndex);
  if constexpr (kType < DType::kInt8Row) {
    if (dtype == kType) {
      constexpr GroupForm kForm = group_form(kType);
      return body.template operator()<kForm.bits, kForm.group>();
    }
    with_group<kIndex + 1>(dtype, body);
  }
}

}  // namespace lathe::block
