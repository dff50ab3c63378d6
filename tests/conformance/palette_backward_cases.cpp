// The gradient of an iteration and of what is made with it, by the complex step through attention.
// An iteration's own derivative is that of the sum over points of a_j (x - next_j) / mass_j, in
// which next and mass are what they are.
#include "tests/conformance/palette_case.h"

namespace lathe::conformance {
namespace {

constexpr double kStep = 1e-30;

// How much one point, there once, moves the loss by next, and its output by itself.
struct Moves {
  Complex by_centroids, by_output;
};

Moves moves(const PaletteCase& c, const Wide& in, const std::vector<Complex>& x,
            const std::vector<Complex>& centroids, const std::vector<double>& g) {
  const std::vector<Complex> a = attention(c, x, centroids, in.at("tau")[0]);
  Moves out;
  for (std::size_t i = 0; i < centroids.size(); ++i) {
    const std::size_t j = i / x.size();
    const double mass = in.at("mass")[j];
    const double next = in.at("next")[i];
    out.by_centroids +=
        mass == 0.0 ? 0.0 : a[j] * (x[i % x.size()] - next) * in.at("dnext")[i] / mass;
    out.by_output += a[j] * next * g[i % x.size()];
  }
  return out;
}

struct BackwardCase {
  PaletteCase of;
  bool apply = true, wants_dc = true;
};

Wide expected(const BackwardCase& b, const Wide& in) {
  const PaletteCase& c = b.of;
  Wide out;
  for (const char* name : {"g", "alpha", "beta"}) {
    if (in.contains(name)) {
      out[name] = in.at(name);
    }
  }
  const std::vector<Complex> centroids(in.at("c").begin(), in.at("c").end());
  std::vector<double> dc(centroids.size());
  for (std::size_t i = 0; i < dc.size(); ++i) {
    const bool stayed = in.at("mass")[i / static_cast<std::size_t>(c.dim)] == 0.0;
    dc[i] = stayed ? in.at("dnext")[i] : 0.0;
  }
  for (const WidePoint& point : wide_points(c, in)) {
    const std::vector<Complex> x(point.x.begin(), point.x.end());
    std::vector<double> g(x.size(), 1.0);
    for (std::size_t e = 0; e < x.size() && !c.codes; ++e) {
      g[e] = in.at("g")[point.index * x.size() + e];
    }
    const double sum = !b.apply ? 0.0 : c.codes ? in.at("g")[point.index] : 1.0;
    for (std::size_t e = 0; e < x.size(); ++e) {
      std::vector<Complex> moved = x;
      moved[e] += Complex(0.0, kStep);
      const Moves at = moves(c, in, moved, centroids, g);
      const double by_centroids = at.by_centroids.imag() / kStep;
      const double by_output = at.by_output.imag() / kStep;
      const std::size_t place = point.index * x.size() + e;
      if (c.codes) {
        out["beta"][place] = by_centroids + (b.apply ? 0.0 : in.at("beta")[place]);
        out["alpha"][place] = b.apply ? by_output : in.at("alpha")[place];
      } else {
        out["g"][place] = by_centroids + (b.apply ? by_output : in.at("g")[place]);
      }
    }
    for (std::size_t i = 0; i < dc.size() && b.wants_dc; ++i) {
      std::vector<Complex> moved = centroids;
      moved[i] += Complex(0.0, kStep);
      const Moves at = moves(c, in, x, moved, g);
      dc[i] += (point.count * at.by_centroids.imag() + sum * at.by_output.imag()) / kStep;
    }
  }
  if (b.wants_dc) {
    out["dc"] = dc;
  }
  if (c.codes) {
    out.erase("g");
  }
  return out;
}

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
  test.expect = [b](const Wide& in) { return expected(b, in); };
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
