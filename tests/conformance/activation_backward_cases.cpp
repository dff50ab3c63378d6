// Slopes of the activations against central differences of the formula in double.
#include <cmath>

#include "tests/conformance/activation_cases.h"

namespace lathe::conformance {
namespace {

// Richardson's extrapolation of two central differences: an error of h^4.
double slope(Activation kind, double x) {
  const auto difference = [&](double h) {
    return (plain_activation(kind, x + h) - plain_activation(kind, x - h)) / (2.0 * h);
  };
  constexpr double kStep = 1e-4;
  return (4.0 * difference(kStep) - difference(2.0 * kStep)) / 3.0;
}

}  // namespace

std::vector<Case> activation_backward_cases() {
  std::vector<Case> cases;
  for (const Activation kind : kActivations) {
    for (const std::int64_t count : {0, 1, 13, 65, 20010}) {
      Case test = make_case("activation_backward",
                            {param("kind", static_cast<int>(kind)), param("count", count)});
      test.input("x", Shape{count});
      const std::vector<double> points = activation_points(count);
      test.operands["x"].values.assign(points.begin(), points.end());
      test.input("dy", Shape{count});
      test.output("dx", Shape{count});
      // The normal distribution's tail is the exponential of a square, which costs some units.
      test.length = kind == Activation::kGelu || kind == Activation::kGeluTanh ? 128 : 1;
      test.call = [kind](Backend& backend, const Refs& t) -> std::vector<double> {
        ops::activation_backward(
            backend, {.x = t.at("x"), .dy = t.at("dy"), .dx = t.at("dx"), .kind = kind});
        return {};
      };
      test.expect = [kind](const Wide& in) {
        std::vector<double> dx = in.at("dy");
        for (std::size_t i = 0; i < dx.size(); ++i) {
          dx[i] *= slope(kind, in.at("x")[i]);
        }
        return Wide{{"dx", dx}};
      };
      cases.push_back(test);
    }
  }
  return cases;
}

}  // namespace lathe::conformance
