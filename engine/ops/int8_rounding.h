// How activations are rounded to int8 and which of them are not, once for all back ends
// (LLM.int8, arXiv 2208.07339, section 3). All in f32, so that all of them give the same codes.
#pragma once

namespace lathe {

// From here on, |x| is of a column that is multiplied in floats; so is what is not finite.
constexpr float int8_limit(float threshold) {
  return threshold > 0.0f ? threshold : 3.402823466e+38f;
}
// What x is multiplied by before it is rounded to the nearest, ties to even. Rows of nothing but
// (nearly) zeros become zeros.
constexpr float int8_factor(float largest) {
  return largest >= 1e-30f ? 127.0f / largest : 0.0f;
}
// What a code is worth.
constexpr float int8_scale(float largest) {
  return largest >= 1e-30f ? largest / 127.0f : 0.0f;
}

}  // namespace lathe
