// A number for each sub-token: its product with the direction.
#include "tests/conformance/case.h"

namespace lathe::conformance {

std::vector<Case> subtoken_project_cases() {
  std::vector<Case> cases;
  // Rows, groups, size: sub-tokens of one element, of part of a register, of odd lengths, of many.
  for (const auto& [rows, groups, size] : std::vector<std::array<std::int64_t, 3>>{{1, 1, 1},
                                                                                   {0, 2, 4},
                                                                                   {3, 5, 1},
                                                                                   {7, 3, 7},
                                                                                   {129, 12, 8},
                                                                                   {5, 2, 33},
                                                                                   {33, 3, 344},
                                                                                   {2, 1, 4099}}) {
    for (const Fill fill : kFills) {
      Case test = make_case("subtoken_project", {param("rows", rows), param("groups", groups),
                                                 param("size", size), param("fill", fill)});
      test.input("x", Shape{rows, groups * size}, fill);
      test.input("v", Shape{size});
      test.output("z", Shape{rows, groups});
      test.length = size;
      test.call = [](Backend& backend, const Refs& t) -> std::vector<double> {
        ops::subtoken_project(backend, {.x = t.at("x"), .v = t.at("v"), .z = t.at("z")});
        return {};
      };
      test.expect = [](const Wide& in) {
        const std::vector<double>& x = in.at("x");
        const std::vector<double>& v = in.at("v");
        std::vector<double> z(x.size() / v.size());
        for (std::size_t i = 0; i < x.size(); ++i) {
          z[i / v.size()] += x[i] * v[i % v.size()];
        }
        return Wide{{"z", z}};
      };
      cases.push_back(std::move(test));
    }
  }
  return cases;
}

}  // namespace lathe::conformance
