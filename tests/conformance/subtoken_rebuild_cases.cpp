// Sub-tokens made of a number each and the direction, alone or added to what is there.
#include "tests/conformance/case.h"

namespace lathe::conformance {
namespace {

Case rebuild_case(std::int64_t rows, std::int64_t groups, std::int64_t size, float alpha,
                  float beta, Fill fill) {
  Case test = make_case("subtoken_rebuild",
                        {param("rows", rows), param("groups", groups), param("size", size),
                         param("alpha", alpha), param("beta", beta), param("fill", fill)});
  test.input("z", Shape{rows, groups}, fill);
  test.input("v", Shape{size});
  if (beta == 0.0f) {
    test.output("x", Shape{rows, groups * size});
  } else {
    test.in_out("x", Shape{rows, groups * size}, fill);
  }
  test.length = 2;
  test.call = [alpha, beta](Backend& backend, const Refs& t) -> std::vector<double> {
    ops::subtoken_rebuild(
        backend, {.z = t.at("z"), .v = t.at("v"), .x = t.at("x"), .alpha = alpha, .beta = beta});
    return {};
  };
  test.expect = [=](const Wide& in) {
    const std::vector<double>& z = in.at("z");
    const std::vector<double>& v = in.at("v");
    std::vector<double> x(z.size() * v.size());
    if (beta != 0.0f) {
      x = in.at("x");
    }
    for (std::size_t i = 0; i < x.size(); ++i) {
      const double before = beta == 0.0f ? 0.0 : double(beta) * x[i];
      x[i] = before + double(alpha) * z[i / v.size()] * v[i % v.size()];
    }
    return Wide{{"x", x}};
  };
  return test;
}

}  // namespace

std::vector<Case> subtoken_rebuild_cases() {
  std::vector<Case> cases;
  for (const auto& [rows, groups, size] : std::vector<std::array<std::int64_t, 3>>{
           {1, 1, 1}, {0, 2, 4}, {3, 5, 1}, {7, 3, 7}, {129, 12, 8}, {5, 2, 33}, {2, 1, 4099}}) {
    cases.push_back(rebuild_case(rows, groups, size, 1.0f, 0.0f, Fill::kUniform));
    cases.push_back(rebuild_case(rows, groups, size, 0.1f, 1.0f, Fill::kUniform));
  }
  for (const Fill fill : kFills) {
    cases.push_back(rebuild_case(9, 4, 16, -1.5f, 0.5f, fill));
  }
  return cases;
}

}  // namespace lathe::conformance
