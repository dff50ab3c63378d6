// AdamW of weights whose gradients are one number a sub-token. What must come out is what AdamW
// makes of the whole gradient, its moments those of the numbers times the direction.
#include <cmath>
#include <limits>

#include "engine/backend/sums.h"
#include "tests/conformance/case.h"

namespace lathe::conformance {
namespace {

struct SubtokenCase {
  std::int64_t rows = 3, groups = 4, size = 8;
  std::int64_t step = 7;
  float decay = 0.1f;
  float eps = 1e-3f;
  double clip = 0.0;  // the norm is taken to be 4
  double squares = 16.0;
  double refused = 0.0;

  bool taken() const { return std::isfinite(squares) && refused == 0.0; }
  double scale() const { return clip > 0.0 && clip < 4.0 ? clip / 4.0 : 1.0; }
};

constexpr float kLr = 1e-2f;
constexpr float kBeta1 = 0.9f;
constexpr float kBeta2 = 0.95f;

std::vector<double> call_step(const SubtokenCase& c, Backend& backend, const Refs& t) {
  const Tensor sums = make_sums(backend, "conformance", "sums", 2);
  const std::array<double, 2> given{c.squares, c.refused};
  backend.write(sums, given.data(), sizeof given);
  const SubtokenTensor tensor{.weight = t.at("weight"),
                              .gradient = t.at("gradient"),
                              .m = t.at("m"),
                              .v = t.at("v"),
                              .direction = t.at("direction")};
  AdamwStepArgs by;
  by.squares = sums_at(sums, 0, 1);
  by.refused = sums_at(sums, 1, 1);
  by.lr = kLr;
  by.beta1 = kBeta1;
  by.beta2 = kBeta2;
  by.eps = c.eps;
  by.weight_decay = c.decay;
  by.clip_norm = c.clip;
  by.step = c.step;
  ops::adamw_subtoken_step(backend, {.tensors = std::span(&tensor, 1), .by = by});
  return {read_sums(backend, sums)[1]};
}

// Element by element, from the gradient and the moments as a dense step would have them.
Wide expect_step(const SubtokenCase& c, const Wide& in) {
  Wide out = in;
  out.erase("gradient");
  out.erase("direction");
  out["host"] = {c.taken() ? 0.0 : 1.0};
  const std::vector<double>& direction = in.at("direction");
  for (std::size_t i = 0; i < in.at("weight").size() && c.taken(); ++i) {
    const double along = direction[i % direction.size()];
    const std::size_t token = i / direction.size();
    const double g = c.scale() * in.at("gradient")[token];
    const double m = double(kBeta1) * in.at("m")[token] + (1.0 - double(kBeta1)) * g;
    const double v = double(kBeta2) * in.at("v")[token] + (1.0 - double(kBeta2)) * g * g;
    out["m"][token] = m;
    out["v"][token] = v;
    const double mhat = along * m / (1.0 - std::pow(double(kBeta1), double(c.step)));
    const double vhat = along * along * v / (1.0 - std::pow(double(kBeta2), double(c.step)));
    double& weight = out["weight"][i];
    weight -= double(kLr) * (mhat / (std::sqrt(vhat) + double(c.eps)) + double(c.decay) * weight);
  }
  return out;
}

Case step_case(const SubtokenCase& c) {
  Case test =
      make_case("adamw_subtoken_step",
                {param("rows", c.rows), param("groups", c.groups), param("size", c.size),
                 param("step", c.step), param("decay", c.decay), param("eps", c.eps),
                 param("clip", c.clip), param("squares", c.squares), param("refused", c.refused)});
  test.in_out("weight", Shape{c.rows, c.groups * c.size});
  test.input("gradient", Shape{c.rows, c.groups});
  test.in_out("m", Shape{c.rows, c.groups});
  test.in_out("v", Shape{c.rows, c.groups});
  for (float& value : test.operands["v"].values) {
    value = std::fabs(value);
  }
  test.input("direction", Shape{c.size});
  test.scale = 1.0;  // a moment and its gradient may cancel
  test.call = [c](Backend& backend, const Refs& t) { return call_step(c, backend, t); };
  test.expect = [c](const Wide& in) { return expect_step(c, in); };
  return test;
}

}  // namespace

std::vector<Case> adamw_subtoken_step_cases() {
  std::vector<Case> cases;
  for (const auto& [rows, groups, size] : std::vector<std::array<std::int64_t, 3>>{
           {1, 1, 1}, {3, 5, 1}, {7, 3, 7}, {129, 12, 8}, {5, 2, 33}, {2, 1, 4099}}) {
    cases.push_back(step_case({.rows = rows, .groups = groups, .size = size}));
  }
  cases.push_back(step_case({.step = 1, .decay = 0.0f}));
  cases.push_back(step_case({.eps = 1e-8f}));
  cases.push_back(step_case({.clip = 1.5}));
  cases.push_back(step_case({.squares = std::numeric_limits<double>::quiet_NaN()}));
  cases.push_back(step_case({.refused = 1.0}));
  return cases;
}

}  // namespace lathe::conformance
