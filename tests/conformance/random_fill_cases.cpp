// Random values: element i from word i % 4 of counter i / 4. The formula inverts the C library's
// error function by bisection, so it shares nothing with the back ends but Philox.
#include <cmath>

#include "engine/base/rng.h"
#include "tests/conformance/case.h"

namespace lathe::conformance {
namespace {

double normal_cdf(double z) {
  return 0.5 * std::erfc(-z / std::sqrt(2.0));
}

double quantile(double p) {
  double low = -10.0;
  double high = 10.0;
  for (int i = 0; i < 200; ++i) {
    const double middle = 0.5 * (low + high);
    (normal_cdf(middle) < p ? low : high) = middle;
  }
  return 0.5 * (low + high);
}

struct Kind {
  bool uniform = false;
  bool truncated = false;
};

double value_at(std::size_t i, Kind kind) {
  const double unit = (double(philox(42, 5, i / 4)[i % 4]) + 0.5) / 4294967296.0;
  if (kind.uniform) {
    return 0.25 + 0.5 * (2.0 * unit - 1.0);
  }
  const double tail = normal_cdf(-3.0);
  return 0.25 + 0.5 * quantile(kind.truncated ? tail + (1.0 - 2.0 * tail) * unit : unit);
}

}  // namespace

std::vector<Case> random_fill_cases() {
  std::vector<Case> cases;
  for (const std::int64_t count : {0, 1, 3, 67, 20001}) {
    for (const Kind kind : {Kind{}, Kind{.uniform = true}, Kind{.truncated = true}}) {
      Case test =
          make_case("random_fill", {param("count", count), param("uniform", int{kind.uniform}),
                                    param("truncated", int{kind.truncated})});
      test.output("out", Shape{count});
      test.call = [kind](Backend& backend, const Refs& t) -> std::vector<double> {
        ops::random_fill(backend, {.out = t.at("out"),
                                   .seed = 42,
                                   .stream = 5,
                                   .mean = 0.25f,
                                   .stddev = 0.5f,
                                   .uniform = kind.uniform,
                                   .truncated = kind.truncated});
        return {};
      };
      test.expect = [count, kind](const Wide&) {
        std::vector<double> out(static_cast<std::size_t>(count));
        for (std::size_t i = 0; i < out.size(); ++i) {
          out[i] = value_at(i, kind);
        }
        return Wide{{"out", out}};
      };
      cases.push_back(test);
    }
  }
  return cases;
}

}  // namespace lathe::conformance
