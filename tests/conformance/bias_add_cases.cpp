// A bias on every row.
#include "tests/conformance/case.h"

namespace lathe::conformance {

std::vector<Case> bias_add_cases() {
  std::vector<Case> cases;
  for (const auto& [rows, width] :
       std::vector<std::array<std::int64_t, 2>>{{1, 1}, {0, 8}, {7, 13}, {129, 288}}) {
    for (const Fill fill : kFills) {
      Case test =
          make_case("bias_add", {param("rows", rows), param("width", width), param("fill", fill)});
      test.in_out("x", Shape{rows, width}, fill);
      test.input("bias", Shape{width});
      test.call = [](Backend& backend, const Refs& t) -> std::vector<double> {
        ops::bias_add(backend, {.x = t.at("x"), .bias = t.at("bias")});
        return {};
      };
      test.expect = [](const Wide& in) {
        std::vector<double> x = in.at("x");
        const std::vector<double>& bias = in.at("bias");
        for (std::size_t i = 0; i < x.size(); ++i) {
          x[i] += bias[i % bias.size()];
        }
        return Wide{{"x", x}};
      };
      cases.push_back(std::move(test));
    }
  }
  return cases;
}

}  // namespace lathe::conformance
