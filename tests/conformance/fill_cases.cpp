// One value everywhere.
#include "tests/conformance/case.h"

namespace lathe::conformance {

std::vector<Case> fill_cases() {
  std::vector<Case> cases;
  for (const std::int64_t count : {0, 1, 17, 129, 70001}) {
    for (const float value : {0.0f, -1.5f}) {
      Case test = make_case("fill", {param("count", count), param("value", value)});
      test.output("out", Shape{count});
      test.call = [value](Backend& backend, const Refs& t) -> std::vector<double> {
        ops::fill(backend, {.out = t.at("out"), .value = value});
        return {};
      };
      test.expect = [count, value](const Wide&) {
        return Wide{{"out", std::vector<double>(static_cast<std::size_t>(count), double(value))}};
      };
      cases.push_back(test);
    }
  }
  return cases;
}

}  // namespace lathe::conformance
