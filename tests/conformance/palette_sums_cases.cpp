// Gradients added up by the codes of their weights.
#include "tests/conformance/palette_case.h"

namespace lathe::conformance {

std::vector<Case> palette_sums_cases() {
  std::vector<Case> cases;
  for (const CodedCase& c : coded_shapes()) {
    Case test = make_coded_case("palette_sums", c);
    test.input("g", Shape{c.rows, c.cols});
    test.output("sums", Shape{kPaletteCodes});
    test.scale = std::sqrt(static_cast<double>(test.length));
    test.call = [c](Backend& backend, const Refs& t) -> std::vector<double> {
      const Tensor workspace(backend.allocator(), DType::kF64, Shape{kPaletteShares, kPaletteCodes},
                             {});
      ops::palette_sums(backend, {.weights = weights_of(c, t),
                                  .g = t.at("g"),
                                  .sums = t.at("sums"),
                                  .workspace = workspace});
      return {};
    };
    test.expect = [c](const Wide& in) {
      const std::vector<std::size_t> codes = wide_codes(c, in);
      std::vector<double> sums(static_cast<std::size_t>(kPaletteCodes));
      for (std::size_t i = 0; i < codes.size(); ++i) {
        sums[codes[i]] += wide_scale(c, in, i) * in.at("g")[i];
      }
      return Wide{{"sums", sums}};
    };
    cases.push_back(std::move(test));
  }
  return cases;
}

}  // namespace lathe::conformance
