// h = gate / (1 + exp(-gate)) * up.
#include <cmath>

#include "tests/conformance/case.h"

namespace lathe::conformance {
namespace {

Case swiglu_case(std::int64_t count, Fill fill, bool in_place) {
  Case test = make_case("swiglu_forward", {param("count", count), param("fill", fill),
                                           param("in_place", int{in_place})});
  test.input("up", Shape{count}, fill);
  if (in_place) {
    test.in_out("gate", Shape{count}, fill);
  } else {
    test.input("gate", Shape{count}, fill);
    test.output("h", Shape{count});
  }
  const std::string out = in_place ? "gate" : "h";
  test.call = [out](Backend& backend, const Refs& t) -> std::vector<double> {
    ops::swiglu_forward(backend, {.gate = t.at("gate"), .up = t.at("up"), .h = t.at(out)});
    return {};
  };
  test.expect = [out](const Wide& in) {
    std::vector<double> h = in.at("gate");
    for (std::size_t i = 0; i < h.size(); ++i) {
      h[i] = h[i] * 0.5 * (1.0 + std::tanh(0.5 * h[i])) * in.at("up")[i];
    }
    return Wide{{out, h}};
  };
  return test;
}

}  // namespace

std::vector<Case> swiglu_forward_cases() {
  std::vector<Case> cases;
  for (const std::int64_t count : {0, 1, 13, 65, 20011}) {
    cases.push_back(swiglu_case(count, Fill::kUniform, false));
  }
  cases.push_back(swiglu_case(31, Fill::kUniform, true));
  for (const Fill fill : {Fill::kLarge, Fill::kDenormal, Fill::kEqual}) {
    cases.push_back(swiglu_case(33, fill, false));
  }
  return cases;
}

}  // namespace lathe::conformance
