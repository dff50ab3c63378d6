// Matrices of the types that have tables to floats in registers, and the outliers of spqr3 and
// spqr4, which kernels of their own add. Layouts as in engine/quant/table_decode.h, bits as
// decode_part() gives them.
#pragma once

#include "engine/backend/cuda/device/decode_grid.cuh"
#include "engine/backend/cuda/device/decode_k.cuh"
#include "engine/backend/cuda/device/reduce.cuh"
#include "engine/quant/dynamic_map.h"

namespace lathe::LATHE_GPU {

struct Int8Row : Layout<DType::kInt8Row> {
  static constexpr int kLanes = 4, kGroups = 2, kWidth = 4;
  static constexpr int kAlignment = 4;
  static constexpr bool kMin = false;
  __device__ static int element(int lane, int group) { return 8 * lane + 4 * group; }

  __device__ void load(const MatrixView& w, Index row, Index block, int lane) {
    const Byte* const codes = w.data + row * w.width + block * kBlockBytes + 8 * lane;
    for (int group = 0; group < kGroups; ++group) {
      words[group] = load_as<unsigned>(codes + 4 * group) ^ 0x80808080u;
    }
    step = load_as<float>(w.data + w.rows * w.width + 4 * row);
  }
  __device__ void levels(int group, float* out) const {
    byte_numbers(words[group], 0, 255, 128.0f, out);
  }
  __device__ float scale(int) const { return step; }

  float step;
  unsigned words[kGroups];
};

struct Nf4Double : Layout<DType::kNf4Double> {
  static constexpr int kLanes = Nf4::kLanes, kGroups = Nf4::kGroups, kWidth = Nf4::kWidth;
  static constexpr int kAlignment = 4;
  static constexpr bool kMin = false;
  __device__ static int element(int lane, int group) { return Nf4::element(lane, group); }

  __device__ void load(const MatrixView& w, Index row, Index block, int lane) {
    const Index number = row * (w.width / kBlockElements) + block;
    const Index blocks = w.rows * (w.width / kBlockElements);
    const Byte* const tables = w.data + blocks * kBlockBytes;
    const float value =
        dynamic_value(DynamicMap::kSigned, tables[4 + (blocks + 255) / 256 * 4 + number]);
    const float most = load_as<float>(tables + 4 + number / 256 * 4);
    // As in engine/quant/table_decode.h: exact products, whatever is fused.
    codes.step = static_cast<float>(static_cast<double>(value) * static_cast<double>(most) +
                                    static_cast<double>(load_as<float>(tables)));
    codes.nibbles = load_as<unsigned>(w.data + number * kBlockBytes + 4 * lane);
  }
  __device__ void levels(int group, float* out) const { codes.levels(group, out); }
  __device__ float scale(int group) const { return codes.scale(group); }

  Nf4 codes;
};

// Where the tables of a matrix of spqr3 or spqr4 lie.
template <int kBits>
struct SpqrPlaces {
  __device__ explicit SpqrPlaces(const MatrixView& w)
      : tiles(w.data + w.rows * w.width / 8 * kBits),
        offsets(tiles + w.rows / 16 * (w.width / 16) * 8),
        steps(offsets + 4 * (w.rows + 1)),
        outliers(steps + (3 * (w.rows * w.width / 64) + 3) / 4 * 4) {}

  __device__ unsigned first_outlier(Index row) const {
    return load_as<unsigned>(offsets + 4 * row);
  }
  __device__ unsigned outlier(unsigned index) const {
    return load_as<unsigned>(outliers + 4 * static_cast<Index>(index));
  }

  const Byte* tiles;
  const Byte* offsets;
  const Byte* steps;
  const Byte* outliers;
};

template <DType kType>
struct Spqr : Layout<kType> {
  static constexpr int kBits = spqr_bits(kType);
  static constexpr int kLanes = 8, kGroups = 2, kWidth = 4;
  static constexpr int kAlignment = 8;
  static constexpr bool kMin = false;
  using Layout<kType>::kBlockElements;
  using Layout<kType>::kBlockBytes;
  __device__ static int element(int lane, int group) {
    return PlaneCodes<kBits>::element(lane, group);
  }

  __device__ void load(const MatrixView& w, Index row, Index block, int lane) {
    const SpqrPlaces<kBits> places(w);
    const Index number = row * (w.width / kBlockElements) + block;
    codes.load(w.data + number * kBlockBytes, lane);
    const Byte* const steps = places.steps + 3 * number;
    const unsigned all =
        steps[0] | static_cast<unsigned>(steps[1]) << 8 | static_cast<unsigned>(steps[2]) << 16;
    for (int group = 0; group < kGroups; ++group) {
      const int sixteen = element(lane, group) / 16;
      const Byte* const tile =
          places.tiles + (row / 16 * (w.width / 16) + block * (kBlockElements / 16) + sixteen) * 8;
      const unsigned six = all >> 6 * sixteen;
      scales[group] =
          (number_at(six, 0, 7, 0.0f) - half_of(word_at(tile + 2))) * half_of(word_at(tile));
      zeros[group] =
          (number_at(six, 3, 7, 0.0f) - half_of(word_at(tile + 6))) * half_of(word_at(tile + 4));
    }
  }
  __device__ void levels(int group, float* out) const {
    byte_numbers(codes.codes_of(group), 0, 255, 0.0f, out);
    for (int j = 0; j < kWidth; ++j) {
      out[j] -= zeros[group];
    }
  }
  __device__ float scale(int group) const { return scales[group]; }

  float scales[kGroups], zeros[kGroups];
  PlaneCodes<kBits> codes;
};

// A warp per row: adds its outliers within columns [column, column + width) to a dense panel.
template <typename Decoder>
static __global__ void add_outliers_kernel(MatrixView w, Index first_row, Index rows, Index column,
                                           Index width, float* to) {
  const Index row = first_item() / 32;
  if (row >= rows) {
    return;
  }
  const SpqrPlaces<Decoder::kBits> places(w);
  const unsigned end = places.first_outlier(first_row + row + 1);
  for (unsigned i = places.first_outlier(first_row + row) + threadIdx.x % 32; i < end; i += 32) {
    const unsigned outlier = places.outlier(i);
    const Index place = static_cast<Index>(outlier & 0xffffu) - column;
    if (place >= 0 && place < width) {
      to[row * width + place] += half_of(outlier >> 16);
    }
  }
}

// A warp per row of the weight: adds what its outliers contribute to y [rows, out].
template <typename Decoder>
static __global__ void outlier_dots_kernel(MatrixView w, const float* x, float* y, int rows) {
  const Index row = first_item() / 32;
  if (row >= w.rows) {
    return;
  }
  const SpqrPlaces<Decoder::kBits> places(w);
  const unsigned begin = places.first_outlier(row), end = places.first_outlier(row + 1);
  for (int n = 0; n < rows; ++n) {
    float sum = 0.0f;
    for (unsigned i = begin + threadIdx.x % 32; i < end; i += 32) {
      const unsigned outlier = places.outlier(i);
      sum += half_of(outlier >> 16) * x[n * w.width + static_cast<Index>(outlier & 0xffffu)];
    }
    sum = reduce_warp(sum, Sum());
    if (threadIdx.x % 32 == 0) {
      y[n * w.rows + row] += sum;
    }
  }
}

}  // namespace lathe::LATHE_GPU
