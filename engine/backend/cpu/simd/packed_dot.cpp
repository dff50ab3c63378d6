// One row of a stored weight times one vector: the product of decoding a token. Levels go from the
// packed bytes through registers into the sums; the scale of a block is applied to its sum. Rows
// are read one after the other, not several side by side: the memory's prefetchers want one stream.
#include "engine/backend/cpu/simd/packed_dot.h"

#include "engine/backend/cpu/simd/copies.h"
#include "engine/quant/block_decode.h"
#include "engine/quant/table_decode.h"

namespace lathe::cpu::LATHE_ISA {
namespace {

using block::Byte;

constexpr std::int64_t kBlock = 32;

// Eight floats in every copy: what a sixteen byte load of levels widens to, half by half. Registers
// of sixteen gain nothing here, as memory is the limit.
using Eight [[gnu::vector_size(32)]] = float;

[[gnu::always_inline]] inline Eight eight_at(const float* from) {
  Eight x;
  __builtin_memcpy(&x, from, sizeof x);
  return x;
}

// Eight int8 levels. By name where the processor has an instruction for it, as in block_bits.h.
[[gnu::always_inline]] inline Eight widened(const Byte* levels) {
#ifdef __AVX2__
  return _mm256_cvtepi32_ps(
      _mm256_cvtepi8_epi32(_mm_loadl_epi64(reinterpret_cast<const __m128i*>(levels))));
#else
  Eight wide;
  for (int i = 0; i < 8; ++i) {
    wide[i] = static_cast<float>(static_cast<std::int8_t>(levels[i]));
  }
  return wide;
#endif
}

// A block of x, and the sum of its parts, by which offsets are multiplied.
struct Block {
  Eight part[4];
  Eight total;
};

// Stored forms: blocks of kRuns times 32 elements in kBytes, and what run `run` of one adds to a
// sum.
struct F16 {
  static constexpr int kRuns = 1;
  static constexpr std::int64_t kBytes = 64;
  static constexpr bool kOffset = false;
  [[gnu::always_inline]] static void add(const Byte* from, int, const Block& x, Eight& sum) {
    for (int i = 0; i < 4; ++i) {
      float values[8];
      block::decode_f16(from + 16 * i, values, 8);
      sum += eight_at(values) * x.part[i];
    }
  }
};

struct Bf16 {
  static constexpr int kRuns = 1;
  static constexpr std::int64_t kBytes = 64;
  static constexpr bool kOffset = false;
  [[gnu::always_inline]] static void add(const Byte* from, int, const Block& x, Eight& sum) {
    for (int i = 0; i < 4; ++i) {
      float values[8];
      block::decode_run(DType::kBf16, from + 16 * i, values, 8);
      sum += eight_at(values) * x.part[i];
    }
  }
};

struct Q8_0 {
  static constexpr int kRuns = 1;
  static constexpr std::int64_t kBytes = 34;
  static constexpr bool kOffset = false;
  [[gnu::always_inline]] static void add(const Byte* from, int, const Block& x, Eight& sum) {
    const Byte* levels = from + 2;
    const Eight left = widened(levels) * x.part[0] + widened(levels + 8) * x.part[1];
    const Eight right = widened(levels + 16) * x.part[2] + widened(levels + 24) * x.part[3];
    sum += (left + right) * block::half_at(from);
  }
};

// Products with levels that are bytes in order.
[[gnu::always_inline]] inline Eight byte_products(const block::Levels32& levels, const Block& x) {
  Byte bytes[32];
  __builtin_memcpy(bytes, &levels, sizeof bytes);
  const Eight left = widened(bytes) * x.part[0] + widened(bytes + 8) * x.part[1];
  const Eight right = widened(bytes + 16) * x.part[2] + widened(bytes + 24) * x.part[3];
  return left + right;
}

// Sixteen bytes hold the levels 0 to 15 of 32 elements: byte j those of j and j + 16.
[[gnu::always_inline]] inline Eight nibble_products(const Byte* nibbles, const Block& x) {
  return byte_products(block::nibbles_at(nibbles), x);
}

// The 8 that ggml takes away from each level belongs to the offset here.
struct Q4_0 {
  static constexpr int kRuns = 1;
  static constexpr std::int64_t kBytes = 18;
  static constexpr bool kOffset = true;
  [[gnu::always_inline]] static void add(const Byte* from, int, const Block& x, Eight& sum) {
    const float scale = block::half_at(from);
    sum += nibble_products(from + 2, x) * scale + x.total * (-8.0f * scale);
  }
};

struct Q4_1 {
  static constexpr int kRuns = 1;
  static constexpr std::int64_t kBytes = 20;
  static constexpr bool kOffset = true;
  [[gnu::always_inline]] static void add(const Byte* from, int, const Block& x, Eight& sum) {
    sum += nibble_products(from + 4, x) * block::half_at(from) + x.total * block::half_at(from + 2);
  }
};

// The levels of 32 elements in sixteen bytes.
[[gnu::always_inline]] inline Eight nf4_products(const Byte* codes, const Block& x) {
  float levels[kBlock];
  block::nf4_values(block::load16(codes), 1.0f, levels);
  const Eight left = eight_at(levels) * x.part[0] + eight_at(levels + 8) * x.part[1];
  const Eight right = eight_at(levels + 16) * x.part[2] + eight_at(levels + 24) * x.part[3];
  return left + right;
}

struct Nf4 {
  static constexpr int kRuns = 2;
  static constexpr std::int64_t kBytes = 36;
  static constexpr bool kOffset = false;
  [[gnu::always_inline]] static void add(const Byte* from, int run, const Block& x, Eight& sum) {
    sum += nf4_products(from + 4 + 16 * run, x) * block::float_at(from);
  }
};

// An intB_gG.
template <int kBits, int kGroup>
struct Group {
  static constexpr int kRuns = kGroup / kBlock;
  static constexpr std::int64_t kBytes = 4 + kGroup / 8 * kBits;
  static constexpr bool kOffset = true;
  [[gnu::always_inline]] static void add(const Byte* from, int run, const Block& x, Eight& sum) {
    constexpr Byte kMiddle = 1 << (kBits - 1);
    block::Levels32 codes = block::codes_at<kBits>(from + 4 + 4 * kBits * run);
    codes = {codes.first - kMiddle, codes.second - kMiddle};
    sum += byte_products(codes, x) * block::half_at(from) + x.total * block::half_at(from + 2);
  }
};

template <typename Form>
[[gnu::always_inline]] inline Block block_at(const float* from) {
  Block x{{eight_at(from), eight_at(from + 8), eight_at(from + 16), eight_at(from + 24)}, {}};
  if constexpr (Form::kOffset) {
    x.total = (x.part[0] + x.part[1]) + (x.part[2] + x.part[3]);
  }
  return x;
}

// What is left of x behind its whole blocks, with zeros behind it.
struct Rest {
  float values[kBlock] = {};
  std::int64_t count = 0;
};

[[gnu::always_inline]] inline float total_of(Eight sum) {
  return ((sum[0] + sum[4]) + (sum[2] + sum[6])) + ((sum[1] + sum[5]) + (sum[3] + sum[7]));
}

template <typename Form>
float dot(const Byte* stored, const float* values, std::int64_t runs, const Rest& rest) {
  Eight sums[2] = {};
  for (std::int64_t at = 0; at < runs; ++at) {
    Form::add(stored + at / Form::kRuns * Form::kBytes, static_cast<int>(at % Form::kRuns),
              block_at<Form>(values + at * kBlock), sums[at % 2]);
  }
  if (rest.count > 0) {  // of the types whose elements stand alone
    Byte last[Form::kBytes] = {};
    __builtin_memcpy(last, stored + runs * Form::kBytes,
                     static_cast<std::size_t>(rest.count * Form::kBytes / kBlock));
    Form::add(last, 0, block_at<Form>(rest.values), sums[runs % 2]);
  }
  return total_of(sums[0] + sums[1]);
}

template <typename Form>
bool dots(const PackedRows& weight) {
  const std::int64_t runs = weight.width / kBlock;
  Rest rest;
  rest.count = weight.width % kBlock;
  for (std::int64_t i = 0; i < rest.count; ++i) {
    rest.values[i] = weight.x[runs * kBlock + i];
  }
  for (std::int64_t row = 0; row < weight.count; ++row) {
    weight.sums[row] = dot<Form>(weight.stored + row * weight.row_bytes, weight.x, runs, rest);
  }
  return true;
}

// Codes of 32 elements without a scale, which is the row's.
struct Int8 {
  static constexpr int kRuns = 1;
  static constexpr std::int64_t kBytes = 32;
  static constexpr bool kOffset = false;
  [[gnu::always_inline]] static void add(const Byte* from, int, const Block& x, Eight& sum) {
    const Eight left = widened(from) * x.part[0] + widened(from + 8) * x.part[1];
    const Eight right = widened(from + 16) * x.part[2] + widened(from + 24) * x.part[3];
    sum += left + right;
  }
};

float int8_row_dot(const StoredMatrix& w, std::int64_t row, const float* x) {
  return dot<Int8>(w.data + row * w.cols, x, w.cols / kBlock, {}) * block::int8_row_scale(w, row);
}

float nf4_dq_dot(const StoredMatrix& w, std::int64_t row, const float* x) {
  Eight sums[2] = {};
  const std::int64_t first = row * w.cols / 64;
  for (std::int64_t i = 0; i < w.cols / 64; ++i) {
    const Byte* const codes = w.data + (first + i) * 32;
    const float scale = block::nf4_dq_scale(w, first + i);
    sums[0] += nf4_products(codes, block_at<Nf4>(x + 64 * i)) * scale;
    sums[1] += nf4_products(codes + 16, block_at<Nf4>(x + 64 * i + kBlock)) * scale;
  }
  return total_of(sums[0] + sums[1]);
}

template <int kBits>
float spqr_dot(const StoredMatrix& w, std::int64_t row, const float* x) {
  const block::SpqrTables<kBits> tables(w);
  Eight sums[2] = {};
  const std::int64_t first = row * w.cols / 64;
  for (std::int64_t column = 0; column < w.cols; column += kBlock) {
    const std::int64_t number = first + column / 64;
    const std::uint32_t steps = tables.block_steps(number);
    const block::Levels32 codes =
        block::codes_at<kBits>(w.data + 8 * kBits * number + column % 64 / 8 * kBits);
    Byte bytes[32];
    __builtin_memcpy(bytes, &codes, sizeof bytes);
    for (int half = 0; half < 2; ++half) {
      const float* const from = x + column + 16 * half;
      const block::SpqrGroup group = tables.group(w, row, column + 16 * half, steps);
      sums[half] += ((widened(bytes + 16 * half) - group.zero) * eight_at(from) +
                     (widened(bytes + 16 * half + 8) - group.zero) * eight_at(from + 8)) *
                    group.scale;
    }
  }
  float sum = total_of(sums[0] + sums[1]);
  const std::uint32_t end = tables.first_outlier(row + 1);
  for (std::uint32_t i = tables.first_outlier(row); i < end; ++i) {
    const std::uint32_t outlier = block::long_word_at(tables.outliers + 4 * std::int64_t{i});
    sum += block::outlier_value(outlier) * x[block::outlier_column(outlier)];
  }
  return sum;
}

bool table_dots(const PackedRows& weight,
                float (*dot_of)(const StoredMatrix&, std::int64_t, const float*)) {
  for (std::int64_t i = 0; i < weight.count; ++i) {
    weight.sums[i] = dot_of(weight.matrix, weight.first + i, weight.x);
  }
  return true;
}

}  // namespace

bool packed_dot(const PackedRows& weight) {
  if (weight.rows != 1) {
    return false;
  }
  switch (weight.dtype) {
    case DType::kF16:
      return dots<F16>(weight);
    case DType::kBf16:
      return dots<Bf16>(weight);
    case DType::kQ8_0:
      return dots<Q8_0>(weight);
    case DType::kQ4_0:
      return dots<Q4_0>(weight);
    case DType::kQ4_1:
      return dots<Q4_1>(weight);
    case DType::kNf4:
      return nf4_rows(weight) || dots<Nf4>(weight);
    case DType::kInt8Row:
      return table_dots(weight, int8_row_dot);
    case DType::kNf4Double:
      return nf4_dq_rows(weight) || table_dots(weight, nf4_dq_dot);
    case DType::kSpqr3:
      return table_dots(weight, spqr_dot<3>);
    case DType::kSpqr4:
      return table_dots(weight, spqr_dot<4>);
    default:
      block::with_group(weight.dtype,
                        [&]<int kBits, int kGroup>() { dots<Group<kBits, kGroup>>(weight); });
      return group_form(weight.dtype).bits > 0 || palette_rows(weight);
  }
}

}  // namespace lathe::cpu::LATHE_ISA
