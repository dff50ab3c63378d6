// The gradient of a bias: the sum of the rows.
#include "tests/conformance/case.h"

namespace lathe::conformance {

std::vector<Case> bias_backward_cases() {
  std::vector<Case> cases;
  for (const auto& [rows, width] :
       std::vector<std::array<std::int64_t, 2>>{{1, 1}, {0, 8}, {7, 13}, {2100, 17}, {129, 288}}) {
    for (const Fill fill : kFills) {
      Case test = make_case("bias_backward",
                            {param("rows", rows), param("width", width), param("fill", fill)});
      test.input("dy", Shape{rows, width}, fill);
      test.in_out("dbias", Shape{width}, fill);
      test.length = rows + 1;
      test.call = [](Backend& backend, const Refs& t) -> std::vector<double> {
        ops::bias_backward(backend, {.dy = t.at("dy"), .dbias = t.at("dbias")});
        return {};
      };
      test.expect = [](const Wide& in) {
        std::vector<double> dbias = in.at("dbias");
        const std::vector<double>& dy = in.at("dy");
        for (std::size_t i = 0; i < dy.size(); ++i) {
          dbias[i % dbias.size()] += dy[i];
        }
        return Wide{{"dbias", dbias}};
      };
      cases.push_back(std::move(test));
    }
  }
  return cases;
}

}  // namespace lathe::conformance
