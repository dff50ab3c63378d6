// The gradient of RMSNorm, written through the Jacobian: dy_j/dx_i = gain_j rstd (delta_ij -
// x_i x_j rstd^2 / width).
#include <cmath>

#include "tests/conformance/case.h"

namespace lathe::conformance {
namespace {

Wide gradient(std::int64_t rows, std::int64_t width, bool with_add, const Wide& in) {
  const auto w = static_cast<std::size_t>(width);
  std::vector<double> dx(in.at("x").size());
  std::vector<double> dgain = in.at("dgain");
  for (std::size_t row = 0; row < static_cast<std::size_t>(rows); ++row) {
    const double rstd = in.at("rstd")[row];
    const auto x = [&](std::size_t i) { return in.at("x")[row * w + i]; };
    const auto dy = [&](std::size_t i) { return in.at("dy")[row * w + i]; };
    double dot = 0;
    for (std::size_t j = 0; j < w; ++j) {
      dot += dy(j) * in.at("gain")[j] * x(j);
      dgain[j] += dy(j) * x(j) * rstd;
    }
    for (std::size_t i = 0; i < w; ++i) {
      dx[row * w + i] = rstd * in.at("gain")[i] * dy(i) -
                        std::pow(rstd, 3) * x(i) * dot / double(width) +
                        (with_add ? in.at("add")[row * w + i] : 0.0);
    }
  }
  return {{"dx", dx}, {"dgain", dgain}};
}

Case gradient_case(std::int64_t rows, std::int64_t width, bool with_add, Fill fill) {
  Case test = make_case("rmsnorm_backward", {param("rows", rows), param("width", width),
                                             param("add", int{with_add}), param("fill", fill)});
  test.input("dy", Shape{rows, width}, fill);
  test.input("x", Shape{rows, width});
  test.input("gain", Shape{width});
  test.input("rstd", Shape{rows});
  test.in_out("dgain", Shape{width}, fill);
  test.output("dx", Shape{rows, width});
  if (with_add) {
    test.input("add", Shape{rows, width}, fill);
  }
  test.length = std::max(rows, width);
  test.call = [with_add](Backend& backend, const Refs& t) -> std::vector<double> {
    ops::rmsnorm_backward(backend, {.dy = t.at("dy"),
                                    .x = t.at("x"),
                                    .gain = t.at("gain"),
                                    .rstd = t.at("rstd"),
                                    .dx = t.at("dx"),
                                    .dgain = t.at("dgain"),
                                    .dx_add = with_add ? t.at("add") : TensorRef{}});
    return {};
  };
  test.expect = [rows, width, with_add](const Wide& in) {
    return gradient(rows, width, with_add, in);
  };
  return test;
}

}  // namespace

std::vector<Case> rmsnorm_backward_cases() {
  std::vector<Case> cases;
  for (const auto& [rows, width] : std::vector<std::array<std::int64_t, 2>>{
           {1, 1}, {0, 8}, {7, 13}, {33, 65}, {129, 288}, {3, 4097}, {2, 8200}, {2100, 17}}) {
    cases.push_back(gradient_case(rows, width, false, Fill::kUniform));
  }
  for (const Fill fill : kFills) {
    cases.push_back(gradient_case(5, 19, true, fill));
  }
  return cases;
}

}  // namespace lathe::conformance
