// Copies, whose bits must survive whatever the values are.
#include "tests/conformance/case.h"

namespace lathe::conformance {

std::vector<Case> copy_cases() {
  std::vector<Case> cases;
  for (const std::int64_t count : {0, 1, 17, 129, 70001}) {
    for (const Fill fill : kFills) {
      Case test = make_case("copy", {param("count", count), param("fill", fill)});
      test.input("from", Shape{count}, fill);
      test.output("to", Shape{count});
      test.call = [](Backend& backend, const Refs& t) -> std::vector<double> {
        ops::copy(backend, {.from = t.at("from"), .to = t.at("to")});
        return {};
      };
      test.expect = [](const Wide& in) { return Wide{{"to", in.at("from")}}; };
      cases.push_back(test);
    }
  }
  return cases;
}

}  // namespace lathe::conformance
