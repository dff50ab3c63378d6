// The sum of squares, in double on every back end.
#include "tests/conformance/case.h"

namespace lathe::conformance {
namespace {

Case sum_case(std::int64_t count, Fill fill) {
  Case test = make_case("sum_squares", {param("count", count), param("fill", fill)});
  test.input("x", Shape{count}, fill);
  test.call = [](Backend& backend, const Refs& t) -> std::vector<double> {
    double result = -1.0;
    ops::sum_squares(backend, {.x = t.at("x"), .result = &result});
    backend.synchronize();
    return {result};
  };
  test.expect = [](const Wide& in) {
    long double sum = 0;
    for (const double x : in.at("x")) {
      sum += static_cast<long double>(x) * x;
    }
    return Wide{{"host", {static_cast<double>(sum)}}};
  };
  return test;
}

}  // namespace

std::vector<Case> sum_squares_cases() {
  std::vector<Case> cases;
  for (const std::int64_t count : {0, 1, 17, 257, 32769, 100003}) {
    cases.push_back(sum_case(count, Fill::kUniform));
  }
  for (const Fill fill : {Fill::kLarge, Fill::kDenormal, Fill::kEqual, Fill::kSpecial}) {
    cases.push_back(sum_case(65, fill));
  }
  return cases;
}

}  // namespace lathe::conformance
