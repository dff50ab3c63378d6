// Layer norm: y = (x - mean) rstd gain + bias.
#include <cmath>

#include "tests/conformance/case.h"

namespace lathe::conformance {
namespace {

constexpr float kEps = 1e-5f;

Wide normed(std::int64_t rows, std::int64_t width, bool with_bias, const Wide& in) {
  const auto w = static_cast<std::size_t>(width);
  const auto n = static_cast<std::size_t>(rows);
  Wide out{{"y", std::vector<double>(n * w)},
           {"mean", std::vector<double>(n, 0.0)},
           {"rstd", std::vector<double>(n)}};
  for (std::size_t row = 0; row < n; ++row) {
    const double* x = in.at("x").data() + row * w;
    double& mean = out["mean"][row];
    double variance = 0;
    for (std::size_t i = 0; i < w; ++i) {
      mean += x[i] / double(width);
    }
    for (std::size_t i = 0; i < w; ++i) {
      variance += std::pow(x[i] - mean, 2) / double(width);
    }
    out["rstd"][row] = std::pow(variance + double(kEps), -0.5);
    for (std::size_t i = 0; i < w; ++i) {
      out["y"][row * w + i] = (x[i] - mean) * out["rstd"][row] * in.at("gain")[i] +
                              (with_bias ? in.at("bias")[i] : 0.0);
    }
  }
  return out;
}

Case norm_case(std::int64_t rows, std::int64_t width, Fill fill, bool full) {
  Case test = make_case("layernorm_forward", {param("rows", rows), param("width", width),
                                              param("fill", fill), param("full", int{full})});
  test.input("x", Shape{rows, width}, fill);
  test.input("gain", Shape{width});
  test.output("y", Shape{rows, width});
  if (full) {
    test.input("bias", Shape{width});
    test.output("mean", Shape{rows});
    test.output("rstd", Shape{rows});
  }
  test.length = 64;
  // Means of values of both signs cancel.
  test.scale = fill == Fill::kUniform ? 1.0 : 0.0;
  test.call = [full](Backend& backend, const Refs& t) -> std::vector<double> {
    ops::layernorm_forward(backend, {.x = t.at("x"),
                                     .gain = t.at("gain"),
                                     .bias = full ? t.at("bias") : TensorRef{},
                                     .y = t.at("y"),
                                     .mean = full ? t.at("mean") : TensorRef{},
                                     .rstd = full ? t.at("rstd") : TensorRef{},
                                     .eps = kEps});
    return {};
  };
  test.expect = [rows, width, full](const Wide& in) { return normed(rows, width, full, in); };
  return test;
}

}  // namespace

std::vector<Case> layernorm_forward_cases() {
  std::vector<Case> cases;
  for (const auto& [rows, width] : std::vector<std::array<std::int64_t, 2>>{
           {1, 2}, {0, 8}, {7, 13}, {33, 65}, {64, 288}, {3, 4097}, {2, 8200}}) {
    cases.push_back(norm_case(rows, width, Fill::kUniform, true));
  }
  cases.push_back(norm_case(5, 48, Fill::kUniform, false));
  for (const Fill fill : {Fill::kLarge, Fill::kDenormal}) {
    cases.push_back(norm_case(5, 17, fill, true));
  }
  return cases;
}

}  // namespace lathe::conformance
