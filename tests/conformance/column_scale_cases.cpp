// A factor for each column, and what is added.
#include "tests/conformance/case.h"

namespace lathe::conformance {

std::vector<Case> column_scale_cases() {
  std::vector<Case> cases;
  for (const auto& [rows, width] :
       std::vector<std::array<std::int64_t, 2>>{{1, 1}, {0, 8}, {7, 13}, {129, 288}}) {
    for (const Fill fill : kFills) {
      for (const bool shifts : {false, true}) {
        Case test = make_case("column_scale", {param("rows", rows), param("width", width),
                                               param("fill", fill), param("shifts", shifts)});
        test.in_out("x", Shape{rows, width}, fill);
        test.input("gain", Shape{width});
        test.input("shift", Shape{width});
        test.call = [shifts = shifts](Backend& backend, const Refs& t) -> std::vector<double> {
          ops::column_scale(backend, {.x = t.at("x"),
                                      .gain = t.at("gain"),
                                      .shift = shifts ? t.at("shift") : TensorRef{},
                                      .y = t.at("x")});
          return {};
        };
        test.expect = [shifts = shifts](const Wide& in) {
          std::vector<double> x = in.at("x");
          const std::vector<double>& gain = in.at("gain");
          for (std::size_t i = 0; i < x.size(); ++i) {
            const std::size_t column = i % gain.size();
            x[i] = gain[column] * x[i] + (shifts ? in.at("shift")[column] : 0.0);
          }
          return Wide{{"x", x}};
        };
        cases.push_back(std::move(test));
      }
    }
  }
  return cases;
}

}  // namespace lathe::conformance
