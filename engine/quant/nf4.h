// The sixteen levels of NF4 (QLoRA, arXiv 2305.14314, section 3 and appendix E): quantiles of the
// normal distribution, eight above 0 and seven below from the probability 0.9677083 down in equal
// steps, divided by the largest. tests/unit/nf4_test.cpp computes them.
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>

namespace lathe {

inline constexpr std::array<float, 16> kNf4Levels{
    -1.0f,        -0.69619280f, -0.52507305f, -0.39491749f, -0.28444138f, -0.18477343f,
    -0.09105004f, 0.0f,         0.07958030f,  0.16093020f,  0.24611230f,  0.33791524f,
    0.44070983f,  0.56261700f,  0.72295684f,  1.0f};

// The code of the level nearest to x, a value divided by its block's scale; half way between two,
// the lower one.
constexpr std::uint8_t nf4_code(float x) {
  std::uint8_t code = 0;
  for (std::size_t i = 0; i + 1 < kNf4Levels.size(); ++i) {
    const double middle = (double{kNf4Levels[i]} + double{kNf4Levels[i + 1]}) / 2;
    code = static_cast<std::uint8_t>(code + (x > static_cast<float>(middle) ? 1 : 0));
  }
  return code;
}

}  // namespace lathe
