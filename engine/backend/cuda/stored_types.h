// From the type of a tensor to the code that decodes it.
#pragma once

#include <cstdint>
#include <initializer_list>

#include "engine/backend/cuda/device/decode_k.cuh"
#include "engine/backend/cuda/device/decode_palette.cuh"
#include "engine/backend/cuda/device/decode_tables.cuh"
#include "engine/tensor/tensor.h"

namespace lathe::LATHE_GPU {

inline bool aligned_to(std::int64_t bytes, const void* at) {
  return reinterpret_cast<std::uintptr_t>(at) % static_cast<std::uintptr_t>(bytes) == 0;
}

// body(decoder) of an intB_gG.
template <int kIndex = 0, typename Body>
void with_group(DType dtype, const Body& body) {
  constexpr auto kType = static_cast<DType>(static_cast<int>(DType::kGroups) + kIndex);
  if constexpr (kType < DType::kInt8Row) {
    dtype == kType ? body(Group<kType>{}) : with_group<kIndex + 1>(dtype, body);
  }
}

// body(decoder) of a palette.
template <typename Body>
void with_palette(DType dtype, const Body& body) {
  switch (palette_form(dtype).dim) {
    case 1:
      return body(Palette<1>{});
    case 2:
      return body(Palette<2>{});
    case 3:
      return body(Palette<3>{});
    default:
      return body(Palette<4>{});
  }
}

// body(decoder of the type), where kernels read rows of `stored` and of `floats` from their first
// element, or from multiples of 32, on. Plain numbers go four at a time where all rows allow it.
template <typename Body>
void with_decoder(const TensorRef& stored, std::initializer_list<const float*> floats,
                  const Body& body) {
  bool aligned = true;
  for (const float* const row : floats) {
    aligned = aligned && aligned_to(16, row);
  }
  const auto plain = [&]<DType kType>() {
    using Quads = Plain<kType, 4>;
    const bool quads = stored.cols() % 4 == 0 && aligned_to(Quads::kAlignment, stored.data);
    quads&& aligned ? body(Quads{}) : body(Plain<kType, 1>{});
  };
  const auto blocks = [&]<typename Decoder>(Decoder decoder) {
    CHECK(aligned && aligned_to(Decoder::kAlignment, stored.data),
          "tensors of block types begin where the allocator put them, or rows later");
    body(decoder);
  };
  switch (stored.dtype) {
    case DType::kF32:
      return plain.template operator()<DType::kF32>();
    case DType::kF16:
      return plain.template operator()<DType::kF16>();
    case DType::kBf16:
      return plain.template operator()<DType::kBf16>();
    case DType::kQ8_0:
      return blocks(Q8_0{});
    case DType::kQ4_0:
      return blocks(Q4_0{});
    case DType::kQ4_1:
      return blocks(Q4_1{});
    case DType::kQ5_0:
      return blocks(Q5_0{});
    case DType::kQ5_1:
      return blocks(Q5_1{});
    case DType::kQ4_K:
      return blocks(Q4_K{});
    case DType::kQ5_K:
      return blocks(Q5_K{});
    case DType::kQ6_K:
      return blocks(Q6_K{});
    case DType::kNf4:
      return blocks(Nf4{});
    case DType::kInt8Row:
      return blocks(Int8Row{});
    case DType::kNf4Double:
      return blocks(Nf4Double{});
    case DType::kSpqr3:
      return blocks(Spqr<DType::kSpqr3>{});
    case DType::kSpqr4:
      return blocks(Spqr<DType::kSpqr4>{});
    case DType::kI32:
    case DType::kF64:
    case DType::kU8:
      break;
    default:
      return has_tables(stored.dtype) ? with_palette(stored.dtype, blocks)
                                      : with_group(stored.dtype, blocks);
  }
  CHECK(false, "no weights are stored as i32, f64 or u8");
}

}  // namespace lathe::LATHE_GPU
