// Rounding to bf16, in place and as bits, which are read back as f32 to compare them exactly.
#include <algorithm>
#include <cmath>

#include "tests/conformance/case.h"

namespace lathe::conformance {
namespace {

// Eight significant bits, of two equally near numbers the even one.
double nearest(double x) {
  if (!std::isfinite(x) || x == 0.0) {
    return x;
  }
  int exponent = 0;
  std::frexp(x, &exponent);
  const double unit = std::ldexp(1.0, std::max(exponent, -125) - 8);
  return std::nearbyint(x / unit) * unit;
}

Case rounding_case(std::int64_t count, Fill fill) {
  Case test = make_case("to_bf16", {param("count", count), param("fill", fill)});
  test.in_out("x", Shape{count}, fill);
  test.output("bits", Shape{count}, DType::kBf16);
  test.output("again", Shape{count});
  // Halfway between two numbers, below and above.
  const std::array<float, 4> ties{1.0f + 0x1p-8f, 1.0f + 0x3p-8f, -2.0f - 0x1p-7f, 0x1.ffp+127f};
  for (std::size_t i = 0; i < ties.size() && count > 100 && fill == Fill::kUniform; ++i) {
    test.operands["x"].values[5 * i] = ties[i];
  }
  test.call = [](Backend& backend, const Refs& t) -> std::vector<double> {
    ops::to_bf16(backend, {.x = t.at("x"), .bits = t.at("bits")});
    ops::from_bf16(backend, {.bits = t.at("bits"), .x = t.at("again")});
    return {};
  };
  test.expect = [](const Wide& in) {
    std::vector<double> rounded = in.at("x");
    std::transform(rounded.begin(), rounded.end(), rounded.begin(), nearest);
    return Wide{{"x", rounded}, {"bits", rounded}, {"again", rounded}};
  };
  return test;
}

}  // namespace

std::vector<Case> to_bf16_cases() {
  std::vector<Case> cases;
  for (const std::int64_t count : {0, 1, 7, 129, 70001}) {
    cases.push_back(rounding_case(count, Fill::kUniform));
  }
  for (const Fill fill : {Fill::kLarge, Fill::kDenormal, Fill::kEqual, Fill::kSpecial}) {
    cases.push_back(rounding_case(33, fill));
  }
  return cases;
}

}  // namespace lathe::conformance
