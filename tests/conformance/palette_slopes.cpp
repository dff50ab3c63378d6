// See palette_slopes.h.
#include "tests/conformance/palette_slopes.h"

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

}  // namespace

Wide backward_formula(const BackwardCase& b, const Wide& in) {
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

}  // namespace lathe::conformance
