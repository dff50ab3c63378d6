// Weights as codes, which are read as the numbers they stand for.
#include "tests/conformance/palette_case.h"

namespace lathe::conformance {

std::vector<Case> palette_codes_cases() {
  std::vector<Case> cases;
  for (const CodedCase& c : coded_shapes()) {
    Case test = make_coded_case("palette_codes", c);
    test.output("out", Shape{c.rows, c.cols}, c.codes);
    test.length = 1;
    test.call = [c](Backend& backend, const Refs& t) -> std::vector<double> {
      ops::palette_codes(backend, {.weights = weights_of(c, t), .out = t.at("out")});
      return {};
    };
    test.expect = [c](const Wide& in) {
      std::vector<double> out;
      for (const std::size_t code : wide_codes(c, in)) {
        const auto bits = static_cast<std::uint16_t>(code);
        out.push_back(c.codes == DType::kF16 ? float_of_half(bits) : float_of_bf16(bits));
      }
      return Wide{{"out", out}};
    };
    cases.push_back(std::move(test));
  }
  return cases;
}

}  // namespace lathe::conformance
