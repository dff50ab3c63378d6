// CUDA's products of a warp on tensor cores (CUDA C++ Programming Guide 13.0, section 10.24) as
// plain C++: 16 x 16 results in float of 16-bit factors, 16 deep, or of tf32 ones, 8 deep. As on a
// device a fragment is spread over the 32 lanes, which all have to take part. Which lane holds what
// is nobody's business; here it is what devices of capability 8 do for results, and any for
// factors.
#pragma once

#include <array>
#include <cstdint>

#include "engine/backend/simt/block.h"
#include "engine/backend/simt/half_types.h"

namespace nvcuda::wmma {

using Place = std::source_location;

struct matrix_a;
struct matrix_b;
struct accumulator;
struct row_major;
struct col_major;
enum layout_t { mem_row_major, mem_col_major };
namespace precision {
struct tf32;
}

// Nearest, ties away from zero, to 10 bits of mantissa (PTX ISA, cvt.rna.tf32.f32).
inline float __float_to_tf32(float value) {
  const auto bits = __builtin_bit_cast(std::uint32_t, value);
  const bool number = (bits & 0x7f800000u) != 0x7f800000u;
  return __builtin_bit_cast(float, number ? (bits + 0x1000u) & ~0x1fffu : bits);
}

namespace simulated {

// What is stored of each type, how often a warp stores each element, and what the product reads.
template <typename T>
struct Element;
template <>
struct Element<__nv_bfloat16> {
  using Stored = __nv_bfloat16;
  static constexpr int kCopies = 1;
  static constexpr int kDepth = 16;
  static float value(Stored x) { return __bfloat162float(x); }
};
template <>
struct Element<__half> {
  using Stored = __half;
  static constexpr int kCopies = 2;
  static constexpr int kDepth = 16;
  static float value(Stored x) { return __half2float(x); }
};
template <>
struct Element<precision::tf32> {
  using Stored = float;
  static constexpr int kCopies = 1;
  static constexpr int kDepth = 8;
  // The device looks at no more bits, rounded or not.
  static float value(float x) {
    return __builtin_bit_cast(float, __builtin_bit_cast(std::uint32_t, x) & ~0x1fffu);
  }
};

// Row and column of the element at `i` of a lane's part of the results.
inline int result_row(int lane, int i) {
  return lane / 4 + i / 2 % 2 * 8;
}
inline int result_column(int lane, int i) {
  return lane % 4 * 2 + i % 2 + i / 4 * 8;
}

}  // namespace simulated

template <typename Use, int m, int n, int k, typename T, typename Layout = void>
class fragment {
 public:
  static_assert(m == 16 && n == 16 && k == simulated::Element<T>::kDepth);
  static constexpr int num_elements = 16 * k * simulated::Element<T>::kCopies / 32;
  typename simulated::Element<T>::Stored x[num_elements];
};
template <int k>
class fragment<accumulator, 16, 16, k, float, void> {
 public:
  static constexpr int num_elements = 8;
  float x[num_elements];
};

template <typename Fragment>
void fill_fragment(Fragment& to, float value) {
  for (auto& element : to.x) {
    element = value;
  }
}

namespace simulated {

// All lanes pass the same address and stride, as aligned as the device wants them.
template <typename T>
void meet(const T* at, unsigned stride, Place place) {
  const auto address = reinterpret_cast<std::uintptr_t>(at);
  const auto& others = lathe::simt::exchange(0xffffffffu, address + stride, place);
  for (const std::uint64_t other : others) {
    lathe::simt::require(other == address + stride, "the lanes name different matrices", place);
  }
  lathe::simt::require(address % 32 == 0, "a matrix starts at a multiple of 32 bytes", place);
  lathe::simt::require(stride * sizeof(T) % 16 == 0, "rows are multiples of 16 bytes apart", place);
}

}  // namespace simulated

template <typename Use, int k, typename T, typename Layout>
void load_matrix_sync(fragment<Use, 16, 16, k, T, Layout>& to,
                      const typename simulated::Element<T>::Stored* from, unsigned stride,
                      Place place = Place::current()) {
  simulated::meet(from, stride, place);
  constexpr int kColumns = std::is_same_v<Use, matrix_a> ? k : 16;
  constexpr bool kByRow = std::is_same_v<Layout, row_major>;
  for (int i = 0; i < to.num_elements; ++i) {
    const int at = (i * 32 + lathe::simt::lane()) % (16 * k);
    const int row = at / kColumns;
    const int column = at % kColumns;
    to.x[i] = from[kByRow ? row * stride + column : column * stride + row];
  }
}
template <int k>
void load_matrix_sync(fragment<accumulator, 16, 16, k, float>& to, const float* from,
                      unsigned stride, layout_t layout, Place place = Place::current()) {
  simulated::meet(from, stride, place);
  for (int i = 0; i < to.num_elements; ++i) {
    const int row = simulated::result_row(lathe::simt::lane(), i);
    const int column = simulated::result_column(lathe::simt::lane(), i);
    to.x[i] = from[layout == mem_row_major ? row * stride + column : column * stride + row];
  }
}
template <int k>
void store_matrix_sync(float* to, const fragment<accumulator, 16, 16, k, float>& from,
                       unsigned stride, layout_t layout, Place place = Place::current()) {
  simulated::meet(to, stride, place);
  for (int i = 0; i < from.num_elements; ++i) {
    const int row = simulated::result_row(lathe::simt::lane(), i);
    const int column = simulated::result_column(lathe::simt::lane(), i);
    to[layout == mem_row_major ? row * stride + column : column * stride + row] = from.x[i];
  }
}

// d = a b + c. Lane 0 computes for all, while they wait.
template <int k, typename T, typename LayoutA, typename LayoutB>
void mma_sync(fragment<accumulator, 16, 16, k, float>& d,
              const fragment<matrix_a, 16, 16, k, T, LayoutA>& a,
              const fragment<matrix_b, 16, 16, k, T, LayoutB>& b,
              const fragment<accumulator, 16, 16, k, float>& c, Place place = Place::current()) {
  using Element = simulated::Element<T>;
  using Results = fragment<accumulator, 16, 16, k, float>;
  struct Part {
    const typename Element::Stored *left, *right;
    const Results* before;
    Results* after;
  };
  const Part mine{a.x, b.x, &c, &d};
  const auto parts =
      lathe::simt::exchange(0xffffffffu, reinterpret_cast<std::uintptr_t>(&mine), place);
  if (lathe::simt::lane() == 0) {
    const auto part = [&](int lane) -> const Part& {
      return *reinterpret_cast<const Part*>(parts[static_cast<std::size_t>(lane)]);
    };
    std::array<std::array<float, 16>, 16> sums{};
    std::array<std::array<float, 16>, k> right;
    for (int i = 0; i < 16 * k; ++i) {
      right[static_cast<std::size_t>(i / 16)][static_cast<std::size_t>(i % 16)] =
          Element::value(part(i % 32).right[i / 32]);
    }
    for (int i = 0; i < 16 * k; ++i) {
      const float left = Element::value(part(i % 32).left[i / 32]);
      for (std::size_t column = 0; column < 16; ++column) {
        sums[static_cast<std::size_t>(i / k)][column] +=
            left * right[static_cast<std::size_t>(i % k)][column];
      }
    }
    for (int i = 0; i < 256; ++i) {
      const int lane = i % 32;
      const auto row = static_cast<std::size_t>(simulated::result_row(lane, i / 32));
      const auto column = static_cast<std::size_t>(simulated::result_column(lane, i / 32));
      part(lane).after->x[i / 32] = part(lane).before->x[i / 32] + sums[row][column];
    }
  }
  lathe::simt::exchange(0xffffffffu, 0, place);
}

}  // namespace nvcuda::wmma
