// RMSNorm: y = x rstd gain, rstd = 1 / sqrt(mean(x^2) + eps).
#include <cmath>

#include "tests/conformance/case.h"

namespace lathe::conformance {
namespace {

constexpr float kEps = 1e-5f;

Case norm_case(std::int64_t rows, std::int64_t width, Fill fill, bool with_rstd) {
  Case test = make_case("rmsnorm_forward", {param("rows", rows), param("width", width),
                                            param("fill", fill), param("rstd", int{with_rstd})});
  test.input("x", Shape{rows, width}, fill);
  test.input("gain", Shape{width});
  test.output("y", Shape{rows, width});
  if (with_rstd) {
    test.output("rstd", Shape{rows});
  }
  test.length = 8;
  test.call = [with_rstd](Backend& backend, const Refs& t) -> std::vector<double> {
    ops::rmsnorm_forward(backend, {.x = t.at("x"),
                                   .gain = t.at("gain"),
                                   .y = t.at("y"),
                                   .rstd = with_rstd ? t.at("rstd") : TensorRef{},
                                   .eps = kEps});
    return {};
  };
  test.expect = [rows, width](const Wide& in) {
    std::vector<double> y(static_cast<std::size_t>(rows * width));
    std::vector<double> rstd(static_cast<std::size_t>(rows));
    for (std::size_t row = 0; row < rstd.size(); ++row) {
      const auto w = static_cast<std::size_t>(width);
      double mean = 0;
      for (std::size_t i = 0; i < w; ++i) {
        mean += std::pow(in.at("x")[row * w + i], 2) / double(width);
      }
      rstd[row] = std::pow(mean + double(kEps), -0.5);
      for (std::size_t i = 0; i < w; ++i) {
        y[row * w + i] = in.at("x")[row * w + i] * in.at("gain")[i] * rstd[row];
      }
    }
    return Wide{{"y", y}, {"rstd", rstd}};
  };
  return test;
}

}  // namespace

std::vector<Case> rmsnorm_forward_cases() {
  std::vector<Case> cases;
  for (const auto& [rows, width] : std::vector<std::array<std::int64_t, 2>>{
           {1, 1}, {0, 8}, {7, 13}, {33, 65}, {64, 288}, {3, 4097}, {2, 8200}}) {
    cases.push_back(norm_case(rows, width, Fill::kUniform, true));
  }
  cases.push_back(norm_case(5, 48, Fill::kUniform, false));
  for (const Fill fill : {Fill::kLarge, Fill::kDenormal, Fill::kEqual, Fill::kSpecial}) {
    cases.push_back(norm_case(5, 17, fill, true));
  }
  return cases;
}

}  // namespace lathe::conformance
