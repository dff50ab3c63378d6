// The gradient of layer norm, written through the Jacobian: dxhat_j/dx_i = rstd (delta_ij - 1/width
// - xhat_i xhat_j / width).
#include <cmath>

#include "tests/conformance/case.h"

namespace lathe::conformance {
namespace {

struct NormGradient {
  std::int64_t rows, width;
  bool with_add, with_bias;
};

Wide gradient(const NormGradient& shape, const Wide& in) {
  const auto w = static_cast<std::size_t>(shape.width);
  std::vector<double> dx(in.at("x").size(), 0.0);
  std::vector<double> dgain = in.at("dgain");
  std::vector<double> dbias = shape.with_bias ? in.at("dbias") : std::vector<double>(w);
  for (std::size_t row = 0; row < static_cast<std::size_t>(shape.rows); ++row) {
    const double rstd = in.at("rstd")[row];
    const auto xhat = [&](std::size_t i) {
      return (in.at("x")[row * w + i] - in.at("mean")[row]) * rstd;
    };
    double sum = 0;
    double dot = 0;
    for (std::size_t j = 0; j < w; ++j) {
      const double dy = in.at("dy")[row * w + j];
      sum += dy * in.at("gain")[j];
      dot += dy * in.at("gain")[j] * xhat(j);
      dgain[j] += dy * xhat(j);
      dbias[j] += dy;
    }
    for (std::size_t i = 0; i < w; ++i) {
      const double own = in.at("dy")[row * w + i] * in.at("gain")[i];
      dx[row * w + i] = rstd * (own - (sum + xhat(i) * dot) / double(shape.width)) +
                        (shape.with_add ? in.at("add")[row * w + i] : 0.0);
    }
  }
  return {{"dx", dx}, {"dgain", dgain}, {"dbias", dbias}};
}

Case gradient_case(const NormGradient& shape, Fill fill) {
  Case test =
      make_case("layernorm_backward", {param("rows", shape.rows), param("width", shape.width),
                                       param("add", int{shape.with_add}),
                                       param("bias", int{shape.with_bias}), param("fill", fill)});
  const Shape matrix{shape.rows, shape.width};
  test.input("dy", matrix, fill);
  test.input("x", matrix);
  test.input("gain", Shape{shape.width});
  test.input("mean", Shape{shape.rows});
  test.input("rstd", Shape{shape.rows});
  test.in_out("dgain", Shape{shape.width}, fill);
  test.output("dx", matrix);
  if (shape.with_bias) {
    test.in_out("dbias", Shape{shape.width}, fill);
  }
  if (shape.with_add) {
    test.input("add", matrix, fill);
  }
  test.length = std::max(shape.rows, shape.width);
  test.scale = fill == Fill::kUniform ? 1.0 : 0.0;
  test.call = [shape](Backend& backend, const Refs& t) -> std::vector<double> {
    ops::layernorm_backward(backend, {.dy = t.at("dy"),
                                      .x = t.at("x"),
                                      .gain = t.at("gain"),
                                      .mean = t.at("mean"),
                                      .rstd = t.at("rstd"),
                                      .dx = t.at("dx"),
                                      .dgain = t.at("dgain"),
                                      .dbias = shape.with_bias ? t.at("dbias") : TensorRef{},
                                      .dx_add = shape.with_add ? t.at("add") : TensorRef{}});
    return {};
  };
  test.expect = [shape](const Wide& in) { return gradient(shape, in); };
  return test;
}

}  // namespace

std::vector<Case> layernorm_backward_cases() {
  std::vector<Case> cases;
  for (const auto& [rows, width] : std::vector<std::array<std::int64_t, 2>>{
           {1, 2}, {0, 8}, {7, 13}, {33, 65}, {129, 288}, {3, 4097}, {2, 8200}, {2100, 17}}) {
    cases.push_back(gradient_case({rows, width, false, true}, Fill::kUniform));
  }
  for (const Fill fill : kFills) {
    cases.push_back(gradient_case({5, 19, true, fill != Fill::kUniform}, fill));
  }
  return cases;
}

}  // namespace lathe::conformance
