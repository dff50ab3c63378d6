// How many weights have each code.
#include "tests/conformance/palette_case.h"

namespace lathe::conformance {

std::vector<Case> palette_count_cases() {
  std::vector<Case> cases;
  for (const CodedCase& c : coded_shapes()) {
    Case test = make_coded_case("palette_count", c);
    test.output("counts", Shape{kPaletteCodes});
    test.call = [c](Backend& backend, const Refs& t) -> std::vector<double> {
      const Tensor workspace(backend.allocator(), DType::kI32, Shape{kPaletteShares, kPaletteCodes},
                             {});
      ops::palette_count(
          backend, {.weights = weights_of(c, t), .counts = t.at("counts"), .workspace = workspace});
      return {};
    };
    test.expect = [c](const Wide& in) {
      std::vector<double> counts(static_cast<std::size_t>(kPaletteCodes));
      for (const std::size_t code : wide_codes(c, in)) {
        counts[code] += 1.0;
      }
      return Wide{{"counts", counts}};
    };
    cases.push_back(std::move(test));
  }
  return cases;
}

}  // namespace lathe::conformance
