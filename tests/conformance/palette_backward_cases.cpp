// The gradient of an iteration and of what is made with it.
#include "tests/conformance/palette_slopes.h"

namespace lathe::conformance {
namespace {

std::vector<double> call_backward(const BackwardCase& b, Backend& backend, const Refs& t) {
  const PaletteCase& c = b.of;
  const Tensor workspace(backend.allocator(), DType::kF64,
                         Shape{kPointShares, c.clusters * (c.dim + 1)}, {});
  ops::palette_backward(backend, {.points = points_of(c, t),
                                  .centroids = centroids_of(c, t),
                                  .next = t.at("next"),
                                  .mass = t.at("mass"),
                                  .dnext = t.at("dnext"),
                                  .g = t.at("g"),
                                  .alpha = c.codes ? t.at("alpha") : TensorRef{},
                                  .beta = c.codes ? t.at("beta") : TensorRef{},
                                  .dc = b.wants_dc ? t.at("dc") : TensorRef{},
                                  .workspace = workspace,
                                  .apply = b.apply});
  return {};
}

Case backward_case(const BackwardCase& b) {
  const PaletteCase& c = b.of;
  Case test =
      make_palette_case("palette_backward", c,
                        {{"apply", b.apply ? "yes" : "no"}, {"dc", b.wants_dc ? "yes" : "no"}});
  test.input("next", Shape{c.clusters, c.dim});
  test.input("mass", Shape{c.clusters});
  for (std::size_t j = 0; j < test.operands["mass"].values.size(); ++j) {
    float& mass = test.operands["mass"].values[j];
    mass = j == 1 ? 0.0f : 1.0f + std::fabs(mass);  // one without any
  }
  test.input("dnext", Shape{c.clusters, c.dim});
  const std::int64_t points = c.codes ? kPaletteCodes : c.points;
  if (c.codes) {
    test.input("g", Shape{points});
    test.in_out("alpha", Shape{points});
    test.in_out("beta", Shape{points});
  } else {
    test.in_out("g", Shape{points, c.dim});
  }
  if (b.wants_dc) {
    test.output("dc", Shape{c.clusters, c.dim});
  }
  // A slope of 2 / tau, of terms that cancel.
  test.scale = 8.0 / double(c.tau);
  test.call = [b](Backend& backend, const Refs& t) { return call_backward(b, backend, t); };
  test.expect = [b](const Wide& in) { return backward_formula(b, in); };
  return test;
}

}  // namespace

std::vector<Case> palette_backward_cases() {
  std::vector<Case> cases;
  for (const PaletteCase& c : palette_shapes()) {
    cases.push_back(backward_case({.of = c}));
  }
  for (const bool codes : {false, true}) {
    const PaletteCase c{.points = 37, .clusters = 8, .dim = codes ? 1 : 2, .codes = codes};
    cases.push_back(backward_case({.of = c, .apply = false}));
    cases.push_back(backward_case({.of = c, .wants_dc = false}));
  }
  return cases;
}

}  // namespace lathe::conformance
