// Products of two matrices' elements, summed over rows.
#include "tests/conformance/case.h"

namespace lathe::conformance {

std::vector<Case> column_dot_cases() {
  std::vector<Case> cases;
  for (const auto& [rows, width] :
       std::vector<std::array<std::int64_t, 2>>{{1, 1}, {0, 8}, {7, 13}, {2100, 17}, {129, 288}}) {
    for (const Fill fill : kFills) {
      Case test = make_case("column_dot",
                            {param("rows", rows), param("width", width), param("fill", fill)});
      test.input("a", Shape{rows, width}, fill);
      test.input("b", Shape{rows, width});
      test.in_out("sums", Shape{width}, fill);
      test.length = rows + 1;
      test.call = [](Backend& backend, const Refs& t) -> std::vector<double> {
        ops::column_dot(backend, {.a = t.at("a"), .b = t.at("b"), .sums = t.at("sums")});
        return {};
      };
      test.expect = [](const Wide& in) {
        std::vector<double> sums = in.at("sums");
        const std::vector<double>& a = in.at("a");
        const std::vector<double>& b = in.at("b");
        for (std::size_t i = 0; i < a.size(); ++i) {
          sums[i % sums.size()] += a[i] * b[i];
        }
        return Wide{{"sums", sums}};
      };
      cases.push_back(std::move(test));
    }
  }
  return cases;
}

}  // namespace lathe::conformance
