// Points replaced by the values of the centroids that draw them, softly or by the nearest alone.
#include <algorithm>

#include "tests/conformance/palette_case.h"

namespace lathe::conformance {
namespace {

// Points that are not there keep what `out` had.
Wide applied(const PaletteCase& c, const Wide& in, bool hard) {
  std::vector<double> out = in.at("out");
  const auto dim = static_cast<std::size_t>(c.dim);
  for (const WidePoint& point : wide_points(c, in)) {
    const std::vector<double> a = attention(c, point, in);
    std::vector<double> squares(a.size());
    for (std::size_t i = 0; i < in.at("c").size(); ++i) {
      const double off = point.x[i % dim] - in.at("c")[i];
      squares[i / dim] += off * off;
    }
    const auto nearest = static_cast<std::size_t>(std::min_element(squares.begin(), squares.end()) -
                                                  squares.begin());
    for (std::size_t e = 0; e < dim; ++e) {
      double sum = 0.0;
      for (std::size_t j = 0; j < a.size(); ++j) {
        sum += a[j] * in.at("values")[j * dim + e];
      }
      const auto value = static_cast<float>(in.at("values")[nearest * dim + e]);
      out[point.index * dim + e] = hard ? double(float_of_half(half_of_float(value))) : sum;
    }
  }
  return {{"out", out}};
}

}  // namespace

std::vector<Case> palette_apply_cases() {
  std::vector<Case> cases;
  for (const PaletteCase& c : palette_shapes()) {
    for (const bool hard : {false, true}) {
      Case test = make_palette_case("palette_apply", c, {{"hard", hard ? "yes" : "no"}});
      test.input("values", Shape{c.clusters, c.dim});
      test.in_out("out", Shape{c.codes ? kPaletteCodes : c.points, c.dim});
      test.length = 16 + c.clusters;
      test.call = [c, hard](Backend& backend, const Refs& t) -> std::vector<double> {
        ops::palette_apply(backend, {.points = points_of(c, t),
                                     .centroids = centroids_of(c, t),
                                     .values = t.at("values"),
                                     .out = t.at("out"),
                                     .hard = hard});
        return {};
      };
      test.expect = [c, hard](const Wide& in) { return applied(c, in, hard); };
      cases.push_back(std::move(test));
    }
  }
  return cases;
}

}  // namespace lathe::conformance
