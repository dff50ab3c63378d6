// A factor in place.
#include "tests/conformance/case.h"

namespace lathe::conformance {
namespace {

Case scale_case(std::int64_t count, float factor, Fill fill) {
  Case test =
      make_case("scale", {param("count", count), param("factor", factor), param("fill", fill)});
  test.in_out("x", Shape{count}, fill);
  test.call = [factor](Backend& backend, const Refs& t) -> std::vector<double> {
    ops::scale(backend, {.x = t.at("x"), .factor = factor});
    return {};
  };
  test.expect = [factor](const Wide& in) {
    std::vector<double> x = in.at("x");
    for (double& value : x) {
      value *= double(factor);
    }
    return Wide{{"x", x}};
  };
  return test;
}

}  // namespace

std::vector<Case> scale_cases() {
  std::vector<Case> cases;
  for (const std::int64_t count : {0, 1, 13, 65, 40001}) {
    cases.push_back(scale_case(count, 0.3f, Fill::kUniform));
  }
  for (const Fill fill : {Fill::kLarge, Fill::kDenormal, Fill::kEqual, Fill::kSpecial}) {
    cases.push_back(scale_case(33, -2.5f, fill));
  }
  return cases;
}

}  // namespace lathe::conformance
