// Palettes to floats in registers; the conventions are those of decode.cuh. Layout as in
// engine/quant/palette_decode.h, bits as decode_part() gives them. A decoder serves every number of
// bits, so that there are four of them and not thirty-two.
#pragma once

#include "engine/backend/cuda/device/decode.cuh"

namespace lathe::LATHE_GPU {

// A lane takes eight neighbours: the codes that their values belong to, at most eight.
template <int kDim>
struct Palette : Layout<palette_dtype(1, kDim)> {
  static constexpr int kLanes = 2 * kDim, kGroups = 2, kWidth = 4;
  static constexpr int kAlignment = 4;
  static constexpr bool kMin = false;
  using Layout<palette_dtype(1, kDim)>::kBlockElements;
  __device__ static int element(int lane, int group) { return 8 * lane + 4 * group; }

  __device__ void load(const MatrixView& w, Index row, Index block, int lane) {
    bits = w.palette_bits;
    const Index block_bytes = 2 * bits;
    const Index blocks = w.width / kBlockElements;
    first_value = 8 * lane;
    // Where the codes begin, in words of 16 bits; those of the block alone are read.
    const int bit = first_value / kDim * bits;
    const int last = bits - 1;
    const int word = bit / 16;
    const Byte* const from = w.data + (row * blocks + block) * block_bytes;
    codes = 0;
    for (int i = 0; i < 4; ++i) {
      if (word + i <= last) {
        codes |= static_cast<unsigned long long>(word_at(from + 2 * (word + i))) << 16 * i;
      }
    }
    codes >>= bit % 16;
    if (bit % 16 != 0 && word + 4 <= last) {
      codes |= static_cast<unsigned long long>(word_at(from + 2 * (word + 4))) << (64 - bit % 16);
    }
    const Byte* const head = w.data + (w.rows * blocks * block_bytes + 3) / 4 * 4;
    const Index lut_bytes = (Index{2} << bits) * kDim;
    const auto rows_together = load_as<unsigned>(head);
    lut = head + 8 + static_cast<unsigned>(row) / rows_together * lut_bytes;
    const Index palettes = static_cast<unsigned>(w.rows) / rows_together;
    step = load_as<unsigned>(head + 4) == 0
               ? 1.0f
               : load_as<float>(head + 8 + palettes * lut_bytes + 4 * row);
  }
  __device__ void levels(int group, float* out) const {
    const unsigned mask = (1u << bits) - 1;
    for (int j = 0; j < kWidth; ++j) {
      const int value = first_value + 4 * group + j;
      const int code = value / kDim - first_value / kDim;
      const unsigned index = static_cast<unsigned>(codes >> code * bits) & mask;
      out[j] = half_of(word_at(lut + 2 * (static_cast<int>(index) * kDim + value % kDim)));
    }
  }
  __device__ float scale(int) const { return step; }

  unsigned long long codes;
  const Byte* lut;
  float step;
  int bits, first_value;
};

}  // namespace lathe::LATHE_GPU
