// Sums of equal shapes.
#include "tests/conformance/case.h"

namespace lathe::conformance {
namespace {

Case sum_case(std::int64_t rows, std::int64_t cols, Fill fill, bool in_place) {
  Case test = make_case("add", {param("rows", rows), param("cols", cols), param("fill", fill),
                                param("in_place", int{in_place})});
  test.input("b", Shape{rows, cols}, fill);
  if (in_place) {
    test.in_out("a", Shape{rows, cols}, fill);
  } else {
    test.input("a", Shape{rows, cols}, fill);
    test.output("out", Shape{rows, cols});
  }
  const std::string out = in_place ? "a" : "out";
  test.call = [out](Backend& backend, const Refs& t) -> std::vector<double> {
    ops::add(backend, {.a = t.at("a"), .b = t.at("b"), .out = t.at(out)});
    return {};
  };
  test.expect = [out](const Wide& in) {
    std::vector<double> sum = in.at("a");
    for (std::size_t i = 0; i < sum.size(); ++i) {
      sum[i] += in.at("b")[i];
    }
    return Wide{{out, sum}};
  };
  return test;
}

}  // namespace

std::vector<Case> add_cases() {
  std::vector<Case> cases{
      sum_case(0, 5, Fill::kUniform, false),     sum_case(1, 1, Fill::kUniform, false),
      sum_case(7, 13, Fill::kUniform, false),    sum_case(7, 13, Fill::kUniform, true),
      sum_case(257, 129, Fill::kUniform, false), sum_case(70001, 1, Fill::kUniform, true)};
  for (const Fill fill : {Fill::kLarge, Fill::kDenormal, Fill::kEqual, Fill::kSpecial}) {
    cases.push_back(sum_case(5, 17, fill, false));
  }
  return cases;
}

}  // namespace lathe::conformance
