// The direction of the mean sub-token, alone or beside what it was, and that of none.
#include <cmath>

#include "tests/conformance/case.h"

namespace lathe::conformance {
namespace {

enum class Sums { kDrawn, kZero };

Case direction_case(std::int64_t size, float decay, Sums sums, Fill fill) {
  constexpr std::int64_t kCount = 37;
  Case test = make_case("subtoken_direction", {param("size", size),
                                               param("decay", decay),
                                               {"sums", sums == Sums::kZero ? "zero" : "drawn"},
                                               param("fill", fill)});
  test.input("sums", Shape{size}, fill);
  if (sums == Sums::kZero) {
    std::fill(test.operands["sums"].values.begin(), test.operands["sums"].values.end(), 0.0f);
  }
  if (decay == 0.0f) {
    test.output("v", Shape{size});
  } else {
    test.in_out("v", Shape{size});
  }
  test.length = 4;
  test.call = [decay](Backend& backend, const Refs& t) -> std::vector<double> {
    ops::subtoken_direction(
        backend, {.sums = t.at("sums"), .v = t.at("v"), .count = kCount, .decay = decay});
    return {};
  };
  test.expect = [=](const Wide& in) {
    std::vector<double> u = in.at("sums");
    double squares = 0.0;
    for (std::size_t k = 0; k < u.size(); ++k) {
      u[k] *= (1.0 - double(decay)) / double(kCount);
      u[k] += decay == 0.0f ? 0.0 : double(decay) * in.at("v")[k];
      squares += u[k] * u[k];
    }
    for (double& value : u) {
      value = squares == 0.0 ? 1.0 / std::sqrt(double(u.size())) : value / std::sqrt(squares);
    }
    return Wide{{"v", u}};
  };
  return test;
}

}  // namespace

std::vector<Case> subtoken_direction_cases() {
  std::vector<Case> cases;
  for (const std::int64_t size : {1, 7, 16, 344, 4099}) {
    for (const float decay : {0.0f, 0.9f}) {
      cases.push_back(direction_case(size, decay, Sums::kDrawn, Fill::kUniform));
    }
  }
  cases.push_back(direction_case(16, 0.0f, Sums::kZero, Fill::kUniform));
  cases.push_back(direction_case(16, 0.5f, Sums::kZero, Fill::kUniform));
  for (const Fill fill : {Fill::kLarge, Fill::kEqual, Fill::kSpecial}) {
    cases.push_back(direction_case(16, 0.0f, Sums::kDrawn, fill));
  }
  return cases;
}

}  // namespace lathe::conformance
