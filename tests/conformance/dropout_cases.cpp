// Dropout: what a place's word decides, at places that do and do not begin four together, with the
// step given by the host or lying in a tensor.
#include "engine/backend/sums.h"
#include "engine/base/rng.h"
#include "tests/conformance/case.h"

namespace lathe::conformance {
namespace {

struct Draw {
  std::int64_t count = 0;
  std::int64_t first = 0;
  double rate = 0.3;
  bool adds = false;
  bool lying = false;
};

constexpr std::int64_t kStep = 7;
constexpr std::int64_t kSite = 11;

std::vector<double> expected(const Draw& draw, const Wide& in) {
  const std::vector<double>& x = in.at("x");
  std::vector<double> y(x.size());
  for (std::size_t i = 0; i < x.size(); ++i) {
    const auto place = static_cast<std::uint64_t>(draw.first) + i;
    const std::uint64_t stream = (1ull << 61) + kStep * (1ull << 20) + kSite;
    const double unit = double(philox(42, stream, place / 4)[place % 4]) / 4294967296.0;
    y[i] = (unit < draw.rate ? 0.0 : x[i] / (1.0 - draw.rate)) + (draw.adds ? in.at("y")[i] : 0.0);
  }
  return y;
}

Case dropout_case(const Draw& draw) {
  Case test = make_case(
      "dropout", {param("count", draw.count), param("first", draw.first), param("rate", draw.rate),
                  param("adds", int{draw.adds}), param("lying", int{draw.lying})});
  test.input("x", Shape{draw.count});
  if (draw.adds) {
    test.in_out("y", Shape{draw.count});
  } else {
    test.output("y", Shape{draw.count});
  }
  test.call = [draw](Backend& backend, const Refs& t) -> std::vector<double> {
    Tensor step;
    if (draw.lying) {
      step = make_sums(backend, "conformance", "step", 1);
      const double value = double(kStep);
      backend.write(step, &value, sizeof value);
    }
    ops::dropout(backend, {.x = t.at("x"),
                           .y = t.at("y"),
                           .rate = draw.rate,
                           .seed = 42,
                           .step = draw.lying ? 0 : kStep,
                           .site = kSite,
                           .first = draw.first,
                           .step_at = draw.lying ? step.ref() : TensorRef{},
                           .adds = draw.adds});
    return {};
  };
  test.expect = [draw](const Wide& in) { return Wide{{"y", expected(draw, in)}}; };
  return test;
}

}  // namespace

std::vector<Case> dropout_cases() {
  std::vector<Case> cases;
  for (const std::int64_t count : {0, 1, 7, 130, 20001}) {
    for (const std::int64_t first : {0, 4, 1023}) {
      cases.push_back(dropout_case({.count = count, .first = first}));
      cases.push_back(dropout_case({.count = count, .first = first, .adds = true, .lying = true}));
    }
  }
  cases.push_back(dropout_case({.count = 67, .rate = 0.0}));
  cases.push_back(dropout_case({.count = 67, .rate = 0.9}));
  return cases;
}

}  // namespace lathe::conformance
