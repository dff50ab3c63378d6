// Blocks of a moment between codes of a dynamic map and floats. A code is found by nearest_code()'s
// rule, from the leading bits of a float: between two floats that share these lies at most one
// border of levels.
#include <limits>

#include "engine/backend/cpu/simd/copies.h"
#include "engine/backend/cpu/simd/vector.h"
#include "engine/ops/optimizer_args.h"

namespace lathe::cpu::LATHE_ISA {
namespace {

// Floats from 2^-23, below the least border, to 1, by the upper 16 of their bits.
constexpr std::int32_t kLeastBits = 104 << 23;
constexpr std::int32_t kCells = (127 - 104) * 128 + 1;

// Of each cell the level of its least float, and the border above that; the last level is met by
// the border below it.
struct Cells {
  std::int32_t level[kCells];
  float border[kCells];
};

consteval Cells make_cells(DynamicMap map) {
  const float* const values = dynamic_values(map);
  const float* const levels = values + zero_code(map);
  const int last = kDynamicCodes - 1 - zero_code(map);
  const auto level_at = [&](std::int32_t bits) {
    return nearest_level(map, values, __builtin_bit_cast(float, bits));
  };
  Cells cells{};
  for (std::int32_t cell = 0; cell < kCells; ++cell) {
    const std::int32_t bits = kLeastBits + (cell << 16);
    const int level = level_at(bits);
    if (cell + 1 < kCells && level_at(bits + 0xffff) > level + 1) {
      throw "a cell has two borders";
    }
    cells.level[cell] = level < last ? level : last - 1;
    cells.border[cell] = 0.5f * (levels[cells.level[cell]] + levels[cells.level[cell] + 1]);
  }
  return cells;
}

template <DynamicMap kMap>
void decode(const MomentBlock& block, float* out) {
  const float* const values = dynamic_values(kMap);
  const float absmax = *block.absmax;
  for (std::int64_t i = 0; i < block.count; ++i) {
    out[i] = values[block.codes[i]] * absmax;
  }
}

// The code of each share of the absmax. Loops of their own are vector code but for the lookups.
template <DynamicMap kMap>
void encode(const float* shares, const MomentBlock& block) {
  static constexpr Cells kTable = make_cells(kMap);
  constexpr std::int32_t kZero = zero_code(kMap);
  alignas(64) std::int32_t levels[kMomentBlock], bits[kMomentBlock];
  alignas(64) float borders[kMomentBlock];
  __builtin_memcpy(bits, shares, sizeof bits);
  for (std::int64_t i = 0; i < kMomentBlock; ++i) {
    const std::int32_t cell = ((bits[i] & 0x7fffffff) - kLeastBits) >> 16;
    const std::int32_t least = cell < 0 ? 0 : cell;
    levels[i] = least < kCells ? least : kCells - 1;
  }
  for (std::int64_t i = 0; i < kMomentBlock; ++i) {
    borders[i] = kTable.border[levels[i]];
    levels[i] = kTable.level[levels[i]];
  }
  for (std::int64_t i = 0; i < kMomentBlock; ++i) {
    const float size = __builtin_fabsf(shares[i]);
    std::int32_t level = levels[i] + (size > borders[i] ? 1 : 0);
    level += (level == 0) & (size > 0.0f) ? 1 : 0;
    const std::int32_t below = level < kZero ? level : kZero;
    levels[i] = kZero + (bits[i] < 0 ? -below : level);
  }
  const std::int64_t count = block.count;
  std::uint8_t* const codes = block.codes;
  for (std::int64_t i = 0; i < count; ++i) {
    codes[i] = static_cast<std::uint8_t>(levels[i]);
  }
}

}  // namespace

void decode_moment(const MomentBlock& block, float* out) {
  block.map == DynamicMap::kSigned ? decode<DynamicMap::kSigned>(block, out)
                                   : decode<DynamicMap::kUnsigned>(block, out);
}

void encode_moment(const float* x, const MomentBlock& block) {
  constexpr float kMost = std::numeric_limits<float>::max();
  Vector sizes{};
  sweep(block.count, [&](auto part) { sizes = larger(absolute(load(x, part)), sizes); });
  const float found = max_of(sizes);
  const float absmax = found < kMost ? found : kMost;
  *block.absmax = absmax;
  const float divisor = absmax > 0.0f ? absmax : 1.0f;
  alignas(64) float shares[kMomentBlock] = {};
  sweep(block.count, [&](auto part) { store(shares, part, load(x, part) / divisor); });
  block.map == DynamicMap::kSigned ? encode<DynamicMap::kSigned>(shares, block)
                                   : encode<DynamicMap::kUnsigned>(shares, block);
}

}  // namespace lathe::cpu::LATHE_ISA
