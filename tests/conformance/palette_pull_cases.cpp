// What the values of centroids get of the gradient of points.
#include "tests/conformance/palette_case.h"

namespace lathe::conformance {

std::vector<Case> palette_pull_cases() {
  std::vector<Case> cases;
  for (const PaletteCase& c : palette_shapes()) {
    Case test = make_palette_case("palette_pull", c);
    test.input("g", Shape{c.codes ? kPaletteCodes : c.points, c.dim});
    test.output("dvalues", Shape{c.clusters, c.dim});
    test.scale = std::sqrt(1.0 + static_cast<double>(c.points) / static_cast<double>(c.clusters));
    test.call = [c](Backend& backend, const Refs& t) -> std::vector<double> {
      const Tensor workspace(backend.allocator(), DType::kF64,
                             Shape{kPointShares, c.clusters * (c.dim + 1)}, {});
      ops::palette_pull(backend, {.points = points_of(c, t),
                                  .centroids = centroids_of(c, t),
                                  .g = t.at("g"),
                                  .dvalues = t.at("dvalues"),
                                  .workspace = workspace});
      return {};
    };
    test.expect = [c](const Wide& in) {
      std::vector<double> dvalues(static_cast<std::size_t>(c.clusters * c.dim));
      for (const WidePoint& point : wide_points(c, in)) {
        const std::vector<double> a = attention(c, point, in);
        const std::size_t dim = point.x.size();
        for (std::size_t i = 0; i < dvalues.size(); ++i) {
          dvalues[i] += a[i / dim] * in.at("g")[point.index * dim + i % dim];
        }
      }
      return Wide{{"dvalues", dvalues}};
    };
    cases.push_back(std::move(test));
  }
  return cases;
}

}  // namespace lathe::conformance
