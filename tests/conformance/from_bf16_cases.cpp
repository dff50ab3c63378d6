// Numbers of bf16 as f32, which holds all of them.
#include "tests/conformance/case.h"

namespace lathe::conformance {

std::vector<Case> from_bf16_cases() {
  std::vector<Case> cases;
  for (const std::int64_t count : {0, 1, 7, 129, 70001}) {
    Case test = make_case("from_bf16", {param("count", count)});
    test.packed_input("bits", Shape{count}, DType::kBf16);
    test.output("x", Shape{count});
    test.call = [](Backend& backend, const Refs& t) -> std::vector<double> {
      ops::from_bf16(backend, {.bits = t.at("bits"), .x = t.at("x")});
      return {};
    };
    test.expect = [](const Wide& in) { return Wide{{"x", in.at("bits")}}; };
    cases.push_back(test);
  }
  return cases;
}

}  // namespace lathe::conformance
