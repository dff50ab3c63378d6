// The gradient of SwiGLU, with the sigmoid written by tanh.
#include <cmath>

#include "tests/conformance/case.h"

namespace lathe::conformance {
namespace {

Case swiglu_case(std::int64_t count, Fill fill, bool with_h) {
  Case test = make_case("swiglu_backward",
                        {param("count", count), param("fill", fill), param("h", int{with_h})});
  test.input("dh", Shape{count}, fill);
  test.input("gate", Shape{count}, fill);
  test.input("up", Shape{count}, fill);
  test.output("dgate", Shape{count});
  test.output("dup", Shape{count});
  if (with_h) {
    test.output("h", Shape{count});
  }
  test.call = [with_h](Backend& backend, const Refs& t) -> std::vector<double> {
    ops::swiglu_backward(backend, {.dh = t.at("dh"),
                                   .gate = t.at("gate"),
                                   .up = t.at("up"),
                                   .dgate = t.at("dgate"),
                                   .dup = t.at("dup"),
                                   .h = with_h ? t.at("h") : TensorRef{}});
    return {};
  };
  test.expect = [](const Wide& in) {
    Wide out{{"dgate", in.at("dh")}, {"dup", in.at("dh")}, {"h", in.at("dh")}};
    for (std::size_t i = 0; i < in.at("dh").size(); ++i) {
      const double x = in.at("gate")[i];
      const double s = 0.5 * (1.0 + std::tanh(0.5 * x));
      out["dgate"][i] *= in.at("up")[i] * (s + x * s * (1.0 - s));
      out["dup"][i] *= x * s;
      out["h"][i] = x * s * in.at("up")[i];
    }
    return out;
  };
  return test;
}

}  // namespace

std::vector<Case> swiglu_backward_cases() {
  std::vector<Case> cases;
  for (const std::int64_t count : {0, 1, 13, 65, 20011}) {
    cases.push_back(swiglu_case(count, Fill::kUniform, count % 2 == 1));
  }
  cases.push_back(swiglu_case(48, Fill::kUniform, false));
  for (const Fill fill : {Fill::kLarge, Fill::kDenormal, Fill::kEqual}) {
    cases.push_back(swiglu_case(33, fill, true));
  }
  return cases;
}

}  // namespace lathe::conformance
