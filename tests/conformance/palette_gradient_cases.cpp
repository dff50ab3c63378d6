// The gradient of weights by that of what their codes stand for.
#include "tests/conformance/palette_case.h"

namespace lathe::conformance {

std::vector<Case> palette_gradient_cases() {
  std::vector<Case> cases;
  for (const CodedCase& c : coded_shapes()) {
    Case test = make_coded_case("palette_gradient", c);
    test.input("alpha", Shape{kPaletteCodes});
    test.input("beta", Shape{kPaletteCodes});
    test.in_out("g", Shape{c.rows, c.cols});
    test.length = 4;
    test.scale = 1.0;  // the two terms may cancel
    test.call = [c](Backend& backend, const Refs& t) -> std::vector<double> {
      ops::palette_gradient(backend, {.weights = weights_of(c, t),
                                      .alpha = t.at("alpha"),
                                      .beta = t.at("beta"),
                                      .g = t.at("g")});
      return {};
    };
    test.expect = [c](const Wide& in) {
      const std::vector<std::size_t> codes = wide_codes(c, in);
      std::vector<double> g = in.at("g");
      for (std::size_t i = 0; i < codes.size(); ++i) {
        g[i] = g[i] * in.at("alpha")[codes[i]] + in.at("beta")[codes[i]] / wide_scale(c, in, i);
      }
      return Wide{{"g", g}};
    };
    cases.push_back(std::move(test));
  }
  return cases;
}

}  // namespace lathe::conformance
