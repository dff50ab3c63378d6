// Weights replaced by what a table has for their codes.
#include "tests/conformance/palette_case.h"

namespace lathe::conformance {

std::vector<Case> palette_lookup_cases() {
  std::vector<Case> cases;
  for (const CodedCase& c : coded_shapes()) {
    Case test = make_coded_case("palette_lookup", c);
    test.input("table", Shape{kPaletteCodes});
    test.output("out", Shape{c.rows, c.cols});
    test.length = 1;
    test.call = [c](Backend& backend, const Refs& t) -> std::vector<double> {
      ops::palette_lookup(
          backend, {.weights = weights_of(c, t), .table = t.at("table"), .out = t.at("out")});
      return {};
    };
    test.expect = [c](const Wide& in) {
      const std::vector<std::size_t> codes = wide_codes(c, in);
      std::vector<double> out;
      for (std::size_t i = 0; i < codes.size(); ++i) {
        out.push_back(wide_scale(c, in, i) * in.at("table")[codes[i]]);
      }
      return Wide{{"out", out}};
    };
    cases.push_back(std::move(test));
  }
  return cases;
}

}  // namespace lathe::conformance
