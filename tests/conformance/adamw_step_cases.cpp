// AdamW at its first step and later, with and without decay.
#include <cmath>

#include "tests/conformance/case.h"

namespace lathe::conformance {
namespace {

Case step_case(std::int64_t count, std::int64_t step, float decay, Fill fill) {
  Case test = make_case("adamw_step", {param("count", count), param("step", step),
                                       param("decay", decay), param("fill", fill)});
  test.in_out("weight", Shape{count});
  test.input("gradient", Shape{count}, fill);
  test.in_out("m", Shape{count}, fill);
  test.in_out("v", Shape{count}, fill);
  for (float& value : test.operands["v"].values) {
    value = std::fabs(value);
  }
  test.call = [step, decay](Backend& backend, const Refs& t) -> std::vector<double> {
    ops::adamw_step(backend, {.weight = t.at("weight"),
                              .gradient = t.at("gradient"),
                              .m = t.at("m"),
                              .v = t.at("v"),
                              .lr = 1e-2f,
                              .beta1 = 0.9f,
                              .beta2 = 0.95f,
                              .eps = 1e-8f,
                              .weight_decay = decay,
                              .grad_scale = 0.5f,
                              .step = step});
    return {};
  };
  test.expect = [step, decay](const Wide& in) {
    Wide out{{"weight", in.at("weight")}, {"m", in.at("m")}, {"v", in.at("v")}};
    const double beta1 = double(0.9f);
    const double beta2 = double(0.95f);
    for (std::size_t i = 0; i < in.at("gradient").size(); ++i) {
      const double g = 0.5 * in.at("gradient")[i];
      const double m = out["m"][i] = out["m"][i] * beta1 + g * (1.0 - beta1);
      const double v = out["v"][i] = out["v"][i] * beta2 + g * g * (1.0 - beta2);
      const double mhat = m / (1.0 - std::pow(beta1, double(step)));
      const double vhat = v / (1.0 - std::pow(beta2, double(step)));
      out["weight"][i] *= 1.0 - double(1e-2f) * double(decay);
      out["weight"][i] -= double(1e-2f) * mhat / (std::sqrt(vhat) + double(1e-8f));
    }
    return out;
  };
  return test;
}

}  // namespace

std::vector<Case> adamw_step_cases() {
  std::vector<Case> cases;
  for (const std::int64_t count : {0, 1, 13, 65, 20011}) {
    cases.push_back(step_case(count, 1, 0.1f, Fill::kUniform));
  }
  cases.push_back(step_case(33, 1000, 0.0f, Fill::kUniform));
  for (const Fill fill : {Fill::kLarge, Fill::kDenormal, Fill::kEqual, Fill::kSpecial}) {
    cases.push_back(step_case(33, 7, 0.1f, fill));
  }
  return cases;
}

}  // namespace lathe::conformance
