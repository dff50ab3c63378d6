// Activations against the C library.
#include <cmath>

#include "tests/conformance/activation_cases.h"

namespace lathe::conformance {

double plain_activation(Activation kind, double x) {
  switch (kind) {
    case Activation::kNone:
      return x;
    case Activation::kRelu:
      return x < 0 ? 0 : x;
    case Activation::kGelu:
      return 0.5 * x * std::erfc(-x / std::sqrt(2.0));
    case Activation::kSilu:
      return x / (1.0 + std::exp(-x));
    case Activation::kTanh:
      return std::tanh(x);
    case Activation::kGeluTanh:
      return x / (1.0 + std::exp(-2.0 * std::sqrt(2.0 / std::acos(-1.0)) *
                                 (x + 0.044715 * std::pow(x, 3))));
  }
  return x;
}

std::vector<double> activation_points(std::int64_t count) {
  std::vector<double> points(static_cast<std::size_t>(count));
  for (std::size_t i = 0; i < points.size(); ++i) {
    points[i] = -12.0 + 24.0 * (double(i) + 0.3) / double(count);
  }
  return points;
}

std::vector<Case> activation_forward_cases() {
  std::vector<Case> cases;
  for (const Activation kind : kActivations) {
    for (const std::int64_t count : {0, 1, 13, 65, 20011}) {
      Case test = make_case("activation_forward",
                            {param("kind", static_cast<int>(kind)), param("count", count)});
      test.input("x", Shape{count});
      const std::vector<double> points = activation_points(count);
      test.operands["x"].values.assign(points.begin(), points.end());
      test.output("y", Shape{count});
      // The normal distribution's tail is the exponential of a square, which costs some units.
      test.length = kind == Activation::kGelu || kind == Activation::kGeluTanh ? 128 : 1;
      test.call = [kind](Backend& backend, const Refs& t) -> std::vector<double> {
        ops::activation_forward(backend, {.x = t.at("x"), .y = t.at("y"), .kind = kind});
        return {};
      };
      test.expect = [kind](const Wide& in) {
        std::vector<double> y = in.at("x");
        for (double& value : y) {
          value = plain_activation(kind, value);
        }
        return Wide{{"y", y}};
      };
      cases.push_back(test);
    }
  }
  return cases;
}

}  // namespace lathe::conformance
